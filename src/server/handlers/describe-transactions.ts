import { undescribedTransaction } from '../../coordinator/index.ts';
import {
  DescribeTransactionsRequest,
  DescribeTransactionsResponse,
} from '../../protocol/messages/describe-transactions.ts';
import { type ApiRow, serial } from '../api-row.ts';
import type { HandlerServices } from '../services.ts';

/** DescribeTransactions v0 (KIP-664): state, timeout, start and partitions of each transactional id. */
export function describeTransactionsRow(services: HandlerServices): ApiRow {
  return serial<DescribeTransactionsRequest, DescribeTransactionsResponse>({
    request: DescribeTransactionsRequest,
    response: DescribeTransactionsResponse,
    handle: async (_call, { transactionalIds }) => ({
      throttleTimeMs: 0,
      transactionStates: await services.transactions.describeTransactions(transactionalIds),
    }),
    failure: ({ transactionalIds }, errorCode) => ({
      throttleTimeMs: 0,
      transactionStates: transactionalIds.map((id) => undescribedTransaction(id, errorCode)),
    }),
  });
}
