import { bool, type Infer, int16, int32, int64, message, string } from '../schema.ts';

/**
 * A producer id, and for a transactional id the next epoch (KIP-98, KIP-360). Version 6 is not
 * released yet (KIP-939).
 */
export const InitProducerIdRequest = message(
  { name: 'InitProducerIdRequest', apiKey: 22, versions: [0, 6], flexible: 2, latestVersionUnstable: true },
  {
    // Null for an idempotent producer without transactions.
    transactionalId: string.nullable(),
    transactionTimeoutMs: int32,
    producerId: int64.since(3).default(-1n),
    producerEpoch: int16.since(3).default(-1),
    enable2Pc: bool.since(6),
    keepPreparedTxn: bool.since(6),
  },
);
export type InitProducerIdRequest = Infer<typeof InitProducerIdRequest>;

export const InitProducerIdResponse = message(
  { name: 'InitProducerIdResponse', apiKey: 22, versions: [0, 6], flexible: 2 },
  {
    throttleTimeMs: int32.ignorable(),
    errorCode: int16,
    producerId: int64.default(-1n),
    producerEpoch: int16,
    ongoingTxnProducerId: int64.since(6).default(-1n),
    ongoingTxnProducerEpoch: int16.since(6).default(-1),
  },
);
export type InitProducerIdResponse = Infer<typeof InitProducerIdResponse>;
