import { array, type Infer, int16, int32, int64, message, string } from '../schema.ts';

/**
 * The transactions of this broker (KIP-664); by age since v1 (KIP-994), by pattern since v2
 * (KIP-1152).
 */
export const ListTransactionsRequest = message(
  { name: 'ListTransactionsRequest', apiKey: 66, versions: [0, 2], flexible: 0 },
  {
    stateFilters: array(string),
    producerIdFilters: array(int64),
    durationFilter: int64.since(1).default(-1n),
    transactionalIdPattern: string.since(2).nullable().default(null),
  },
);
export type ListTransactionsRequest = Infer<typeof ListTransactionsRequest>;

/** Transactional ids with their states. */
export const ListTransactionsResponse = message(
  { name: 'ListTransactionsResponse', apiKey: 66, versions: [0, 2], flexible: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    unknownStateFilters: array(string),
    transactionStates: array({
      transactionalId: string,
      producerId: int64,
      transactionState: string,
    }),
  },
);
export type ListTransactionsResponse = Infer<typeof ListTransactionsResponse>;
