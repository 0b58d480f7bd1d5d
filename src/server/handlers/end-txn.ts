import { OLD_CLIENT_VERSION } from '../../coordinator/index.ts';
import { EndTxnRequest, EndTxnResponse } from '../../protocol/messages/end-txn.ts';
import { type ApiRow, staged } from '../api-row.ts';
import type { HandlerServices } from '../services.ts';
import { fencedCode } from './fenced-producer.ts';

/** Clients of this version have an epoch for each transaction: transaction version 2 (KIP-890). */
const EPOCH_BUMP_VERSION_MIN = 5;
const EPOCH_BUMP_CLIENT_VERSION = 2;
const FENCED_VERSION_MIN = 2;

/** EndTxn v0-5: commits or aborts; answered once that is decided for good, the markers follow. */
export function endTxnRow(services: HandlerServices): ApiRow {
  return staged<EndTxnRequest, EndTxnResponse>({
    request: EndTxnRequest,
    response: EndTxnResponse,
    isUrgent: true,
    handle(call, { transactionalId, producerId, producerEpoch, committed }) {
      const { version } = call;
      const clientTransactionVersion =
        version >= EPOCH_BUMP_VERSION_MIN ? EPOCH_BUMP_CLIENT_VERSION : OLD_CLIENT_VERSION;
      services.transactions.endTransaction(
        { transactionalId, producerId, producerEpoch, isCommit: committed, clientTransactionVersion },
        (outcome) => {
          const errorCode = fencedCode(outcome.errorCode, version, FENCED_VERSION_MIN);
          const { producerId: nextId, producerEpoch: nextEpoch } = outcome;
          call.answer({ throttleTimeMs: 0, errorCode, producerId: nextId, producerEpoch: nextEpoch });
        },
      );
    },
    failure: (_request, errorCode) => ({
      throttleTimeMs: 0,
      errorCode,
      producerId: -1n,
      producerEpoch: -1,
    }),
  });
}
