import { Errors } from '../../protocol/errors.ts';
import {
  ListTransactionsRequest,
  ListTransactionsResponse,
} from '../../protocol/messages/list-transactions.ts';
import { type ApiRow, serial } from '../api-row.ts';
import type { HandlerServices } from '../services.ts';

/** ListTransactions v0-2: the transactional ids that this broker coordinates (KIP-664, KIP-994, KIP-1152). */
export function listTransactionsRow(services: HandlerServices): ApiRow {
  return serial<ListTransactionsRequest, ListTransactionsResponse>({
    request: ListTransactionsRequest,
    response: ListTransactionsResponse,
    handle: async (_call, request) => ({
      throttleTimeMs: 0,
      errorCode: Errors.NONE,
      ...(await services.transactions.listTransactions(request)),
    }),
    failure: (_request, errorCode) => ({
      throttleTimeMs: 0,
      errorCode,
      unknownStateFilters: [],
      transactionStates: [],
    }),
  });
}
