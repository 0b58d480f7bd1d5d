import { type ErrorCode, Errors, ProtocolError } from '../../protocol/errors.ts';
import { InitProducerIdRequest, InitProducerIdResponse } from '../../protocol/messages/init-producer-id.ts';
import { type ApiRow, staged } from '../api-row.ts';
import type { Call } from '../call.ts';
import type { HandlerServices } from '../services.ts';
import { fencedCode } from './fenced-producer.ts';

const NO_ID = -1n;
const NO_EPOCH = -1;
const FENCED_VERSION_MIN = 4;

/**
 * InitProducerId v0-5, and v6 (KIP-939) where unreleased versions are served: a producer id of its own for each
 * idempotent producer, at epoch 0; for a transactional id the next epoch of its producer id, from its coordinator.
 */
export function initProducerIdRow(services: HandlerServices): ApiRow {
  return staged<InitProducerIdRequest, InitProducerIdResponse>({
    request: InitProducerIdRequest,
    response: InitProducerIdResponse,
    handle(call, request) {
      const { transactionalId, producerId, producerEpoch } = request;
      if ((producerId === NO_ID) !== (producerEpoch === NO_EPOCH)) {
        throw new ProtocolError(Errors.INVALID_REQUEST);
      }
      if (transactionalId === null) {
        giveId(services, call);
        return;
      }
      services.transactions.initProducerId(
        {
          transactionalId,
          timeoutMs: request.transactionTimeoutMs,
          expected: producerId === NO_ID ? undefined : { producerId, producerEpoch },
          isTwoPhaseCommit: request.enable2Pc,
          keepsPrepared: request.keepPreparedTxn,
        },
        (outcome) => {
          const errorCode = fencedCode(outcome.errorCode, call.version, FENCED_VERSION_MIN);
          call.answer(answer(errorCode, outcome.producerId, outcome.producerEpoch));
        },
      );
    },
    failure: (_request, code) => answer(code, NO_ID, NO_EPOCH),
  });
}

function giveId({ producerIds }: HandlerServices, call: Call<InitProducerIdResponse>): void {
  producerIds.next().then(
    (producerId) => call.answer(answer(Errors.NONE, producerId, 0)),
    (error: unknown) => call.broken(error),
  );
}

function answer(errorCode: ErrorCode, producerId: bigint, producerEpoch: number): InitProducerIdResponse {
  return {
    throttleTimeMs: 0,
    errorCode,
    producerId,
    producerEpoch,
    ongoingTxnProducerId: NO_ID,
    ongoingTxnProducerEpoch: NO_EPOCH,
  };
}
