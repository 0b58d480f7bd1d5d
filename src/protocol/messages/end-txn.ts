import { bool, type Infer, int16, int32, int64, message, string } from '../schema.ts';

/** Commits or aborts a transaction (KIP-98). v5 ends it with a new epoch (KIP-890). */
export const EndTxnRequest = message(
  { name: 'EndTxnRequest', apiKey: 26, versions: [0, 5], flexible: 3 },
  {
    transactionalId: string,
    producerId: int64,
    producerEpoch: int16,
    committed: bool,
  },
);
export type EndTxnRequest = Infer<typeof EndTxnRequest>;

/** The producer id and epoch to go on with, since v5. */
export const EndTxnResponse = message(
  { name: 'EndTxnResponse', apiKey: 26, versions: [0, 5], flexible: 3 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    producerId: int64.since(5).default(-1n).ignorable(),
    producerEpoch: int16.since(5).default(-1).ignorable(),
  },
);
export type EndTxnResponse = Infer<typeof EndTxnResponse>;
