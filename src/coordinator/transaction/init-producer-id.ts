import { type ErrorCode, Errors } from '../../protocol/errors.ts';
import {
  initialized,
  isEpochExhausted,
  NO_PRODUCER_EPOCH,
  type TransactionMetadata,
} from './transaction-metadata.ts';
import { isPrepared } from './transaction-state.ts';

/** The producer id and epoch that a producer goes on from (KIP-360). */
export interface ProducerIdAndEpoch {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

/** What comes of InitProducerId; in an open transaction it is fenced first and asked for again. */
export type InitDecision =
  | { readonly kind: 'refused'; readonly errorCode: ErrorCode }
  | { readonly kind: 'fence' }
  | { readonly kind: 'needsProducerId' }
  | { readonly kind: 'initialized'; readonly metadata: TransactionMetadata };

const refused = (errorCode: ErrorCode): InitDecision => ({ kind: 'refused', errorCode });

/** `expected` is what the producer says it has, `newProducerId` an id that nobody has, where one was fetched. */
export function decideInit(
  before: TransactionMetadata,
  expected: ProducerIdAndEpoch | undefined,
  newProducerId: bigint | undefined,
  timeoutMs: number,
  nowMs: number,
): InitDecision {
  if (isPrepared(before.state)) return refused(Errors.CONCURRENT_TRANSACTIONS);
  if (expected !== undefined && !isExpectedProducer(before, expected)) return refused(Errors.PRODUCER_FENCED);
  if (before.state === 'Ongoing') return { kind: 'fence' };
  if (before.state === 'Dead' || before.state === 'PrepareEpochFence') {
    return refused(Errors.INVALID_TXN_STATE);
  }
  const goesOn = expected === undefined || expected.producerEpoch === before.producerEpoch;
  if (isEpochExhausted(before.producerEpoch) && goesOn) {
    if (newProducerId === undefined) return { kind: 'needsProducerId' };
    const lastProducerEpoch = expected === undefined ? NO_PRODUCER_EPOCH : before.producerEpoch;
    const producer = { producerId: newProducerId, producerEpoch: 0, lastProducerEpoch };
    return { kind: 'initialized', metadata: initialized(before, producer, timeoutMs, nowMs) };
  }
  const epochs = epochsAfter(before, expected?.producerEpoch);
  if (epochs === undefined) return refused(Errors.PRODUCER_FENCED);
  const producer = { producerId: before.producerId, ...epochs };
  return { kind: 'initialized', metadata: initialized(before, producer, timeoutMs, nowMs) };
}

/**
 * A producer may go on where nobody has used the transactional id since it did: it has the current id, or the one
 * before if that one's epochs were used up (it asks again because the first answer was lost).
 */
function isExpectedProducer(before: TransactionMetadata, expected: ProducerIdAndEpoch): boolean {
  if (before.producerEpoch === NO_PRODUCER_EPOCH || expected.producerId === before.producerId) return true;
  return expected.producerId === before.previousProducerId && isEpochExhausted(expected.producerEpoch);
}

/** Undefined for a producer that is fenced. */
function epochsAfter(
  { producerEpoch, lastProducerEpoch }: TransactionMetadata,
  expectedEpoch: number | undefined,
): Pick<TransactionMetadata, 'producerEpoch' | 'lastProducerEpoch'> | undefined {
  if (expectedEpoch === undefined) {
    return { producerEpoch: producerEpoch + 1, lastProducerEpoch: NO_PRODUCER_EPOCH };
  }
  if (producerEpoch === NO_PRODUCER_EPOCH || expectedEpoch === producerEpoch) {
    return { producerEpoch: producerEpoch + 1, lastProducerEpoch: producerEpoch };
  }
  // The answer to the same request was lost: a second bump would do no harm, but none is needed.
  return expectedEpoch === lastProducerEpoch ? { producerEpoch, lastProducerEpoch } : undefined;
}
