import { record } from '../metadata/records.ts';
import { Errors, ProtocolError } from '../protocol/errors.ts';
import type {
  AllocateProducerIdsRequest,
  AllocateProducerIdsResponse,
} from '../protocol/messages/allocate-producer-ids.ts';
import type { ControllerResult } from './result.ts';
import type { ControllerState } from './state.ts';

const BLOCK_SIZE = 1000;
const INT64_MAX = 2n ** 63n - 1n;

/** The next block of producer ids, which no other broker gets (KIP-730). */
export function allocateProducerIds(
  state: ControllerState,
  request: AllocateProducerIdsRequest,
): ControllerResult<AllocateProducerIdsResponse> {
  const { brokerId, brokerEpoch } = request;
  state.brokerAt(brokerId, brokerEpoch);
  const first = state.image.nextProducerId ?? 0n;
  if (first > INT64_MAX - BigInt(BLOCK_SIZE)) {
    throw new ProtocolError(Errors.UNKNOWN_SERVER_ERROR, 'All producer ids of 64 bits are given away');
  }
  const nextProducerId = first + BigInt(BLOCK_SIZE);
  return {
    records: [record('ProducerIdsRecord', 0, { brokerId, brokerEpoch, nextProducerId })],
    response: {
      throttleTimeMs: 0,
      errorCode: Errors.NONE,
      producerIdStart: first,
      producerIdLen: BLOCK_SIZE,
    },
  };
}
