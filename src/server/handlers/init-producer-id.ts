import { type ErrorCode, Errors, ProtocolError } from '../../protocol/errors.ts';
import { InitProducerIdRequest, InitProducerIdResponse } from '../../protocol/messages/init-producer-id.ts';
import { type ApiRow, serial } from '../api-row.ts';
import type { HandlerServices } from '../services.ts';

const NO_ID = -1n;
const NO_EPOCH = -1;

/**
 * InitProducerId v0-5, and v6 (KIP-939) where unreleased versions are served: a producer id of its own for each
 * idempotent producer, at epoch 0. Transactional ids are refused, for nobody coordinates transactions here yet.
 */
export function initProducerIdRow(services: HandlerServices): ApiRow {
  return serial<InitProducerIdRequest, InitProducerIdResponse>({
    request: InitProducerIdRequest,
    response: InitProducerIdResponse,
    async handle(_call, request) {
      const { transactionalId, producerId, producerEpoch } = request;
      if ((producerId === NO_ID) !== (producerEpoch === NO_EPOCH) || transactionalId === '') {
        throw new ProtocolError(Errors.INVALID_REQUEST);
      }
      if (transactionalId !== null) {
        throw new ProtocolError(Errors.UNSUPPORTED_VERSION, 'transactions are not served yet');
      }
      return { ...answer(Errors.NONE), producerId: await services.producerIds.next(), producerEpoch: 0 };
    },
    failure: (_request, code) => answer(code),
  });
}

function answer(errorCode: ErrorCode): InitProducerIdResponse {
  return {
    throttleTimeMs: 0,
    errorCode,
    producerId: NO_ID,
    producerEpoch: NO_EPOCH,
    ongoingTxnProducerId: NO_ID,
    ongoingTxnProducerEpoch: NO_EPOCH,
  };
}
