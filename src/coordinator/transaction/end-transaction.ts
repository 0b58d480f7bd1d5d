import { type ErrorCode, Errors } from '../../protocol/errors.ts';
import type { ProducerIdAndEpoch } from './init-producer-id.ts';
import {
  CLIENT_EPOCH_MAX,
  EPOCH_BUMP_VERSION,
  isEpochExhausted,
  NO_PRODUCER_ID,
  prepared,
  type TransactionMetadata,
} from './transaction-metadata.ts';
import { isPrepared } from './transaction-state.ts';

export interface EndRequest extends ProducerIdAndEpoch {
  readonly isCommit: boolean;
  /** 2 for a client that has an epoch for each transaction, else 0. */
  readonly clientTransactionVersion: number;
}

export type EndDecision =
  | { readonly kind: 'refused'; readonly errorCode: ErrorCode }
  /** The same request was served before: only the answer was lost. */
  | { readonly kind: 'done' }
  | { readonly kind: 'needsProducerId' }
  | { readonly kind: 'prepared'; readonly metadata: TransactionMetadata };

const refused = (errorCode: ErrorCode): EndDecision => ({ kind: 'refused', errorCode });

/** EndTxn of a client. `newProducerId` is an id that nobody has, where one was fetched. */
export function decideEnd(
  before: TransactionMetadata,
  request: EndRequest,
  newProducerId: bigint | undefined,
  nowMs: number,
): EndDecision {
  return request.clientTransactionVersion >= EPOCH_BUMP_VERSION
    ? decideWithEpochBump(before, request, newProducerId, nowMs)
    : decideWithoutEpochBump(before, request, nowMs);
}

/** Transaction versions 0 and 1: the same epoch before and after, so a retry is told by the state alone. */
function decideWithoutEpochBump(
  before: TransactionMetadata,
  request: EndRequest,
  nowMs: number,
): EndDecision {
  if (before.producerId !== request.producerId) return refused(Errors.INVALID_PRODUCER_ID_MAPPING);
  if (before.producerEpoch !== request.producerEpoch) return refused(Errors.PRODUCER_FENCED);
  switch (before.state) {
    case 'Ongoing':
      return prepare(before, request, NO_PRODUCER_ID, nowMs);
    case 'PrepareCommit':
    case 'PrepareAbort':
      return refused(Errors.CONCURRENT_TRANSACTIONS);
    case 'CompleteCommit':
      return request.isCommit ? { kind: 'done' } : refused(Errors.INVALID_TXN_STATE);
    case 'CompleteAbort':
      return request.isCommit ? refused(Errors.INVALID_TXN_STATE) : { kind: 'done' };
    default:
      return refused(Errors.INVALID_TXN_STATE);
  }
}

/**
 * Transaction version 2 (KIP-890): a retry comes with the epoch before, and the current epoch always means the next
 * transaction, which may be aborted even if the coordinator does not know of it.
 */
function decideWithEpochBump(
  before: TransactionMetadata,
  request: EndRequest,
  newProducerId: bigint | undefined,
  nowMs: number,
): EndDecision {
  // First of all: the producer knows the id and epoch that follow once the markers are written.
  if (isPrepared(before.state)) return refused(Errors.CONCURRENT_TRANSACTIONS);
  const isCurrent = request.producerEpoch === before.producerEpoch;
  const isAfterBump = before.producerEpoch === request.producerEpoch + 1;
  const isAfterNewId =
    before.previousProducerId === request.producerId &&
    request.producerEpoch === CLIENT_EPOCH_MAX &&
    before.producerEpoch === 0;
  if (before.producerId !== request.producerId && !isAfterNewId) {
    return refused(Errors.INVALID_PRODUCER_ID_MAPPING);
  }
  switch (before.state) {
    case 'Ongoing':
      if (!isCurrent) return refused(Errors.PRODUCER_FENCED);
      return prepareWithEpochBump(before, request, newProducerId, nowMs);
    case 'Empty':
      if (!isCurrent) return refused(Errors.PRODUCER_FENCED);
      if (request.isCommit) return refused(Errors.INVALID_TXN_STATE);
      return prepareWithEpochBump(before, request, newProducerId, nowMs);
    case 'CompleteCommit':
    case 'CompleteAbort':
      if (isAfterBump || isAfterNewId) {
        const wasCommit = before.state === 'CompleteCommit';
        return wasCommit === request.isCommit ? { kind: 'done' } : refused(Errors.INVALID_TXN_STATE);
      }
      if (!isCurrent) return refused(Errors.PRODUCER_FENCED);
      if (request.isCommit) return refused(Errors.INVALID_TXN_STATE);
      return prepareWithEpochBump(before, request, newProducerId, nowMs);
    default:
      return refused(Errors.INVALID_TXN_STATE);
  }
}

function prepareWithEpochBump(
  before: TransactionMetadata,
  request: EndRequest,
  newProducerId: bigint | undefined,
  nowMs: number,
): EndDecision {
  if (!isEpochExhausted(before.producerEpoch)) return prepare(before, request, NO_PRODUCER_ID, nowMs);
  if (newProducerId === undefined) return { kind: 'needsProducerId' };
  return prepare(before, request, newProducerId, nowMs);
}

function prepare(
  before: TransactionMetadata,
  { isCommit, clientTransactionVersion }: EndRequest,
  nextProducerId: bigint,
  nowMs: number,
): EndDecision {
  const state = isCommit ? 'PrepareCommit' : 'PrepareAbort';
  return {
    kind: 'prepared',
    metadata: prepared(before, { state, clientTransactionVersion, nextProducerId }, nowMs),
  };
}
