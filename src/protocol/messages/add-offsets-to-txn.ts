import { type Infer, int16, int32, int64, message, string } from '../schema.ts';

/** Makes the offsets of a group a part of a transaction (KIP-98). */
export const AddOffsetsToTxnRequest = message(
  { name: 'AddOffsetsToTxnRequest', apiKey: 25, versions: [0, 4], flexible: 3 },
  {
    transactionalId: string,
    producerId: int64,
    producerEpoch: int16,
    groupId: string,
  },
);
export type AddOffsetsToTxnRequest = Infer<typeof AddOffsetsToTxnRequest>;

/** Whether the coordinator took the group into the transaction. */
export const AddOffsetsToTxnResponse = message(
  { name: 'AddOffsetsToTxnResponse', apiKey: 25, versions: [0, 4], flexible: 3 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
  },
);
export type AddOffsetsToTxnResponse = Infer<typeof AddOffsetsToTxnResponse>;
