import { Errors, ProtocolError } from '../protocol/errors.ts';
import * as header from '../protocol/record-batch/header.ts';
import { NO_EPOCH, type ProducerEntry, SEQUENCE_MAX } from './producer-entry.ts';
import type { VerificationState } from './verification.ts';

export function oldEpoch(bytes: Uint8Array, at: number, lastEpoch: number): ProtocolError {
  return supersededEpoch(header.producerId(bytes, at), header.producerEpoch(bytes, at), lastEpoch);
}

export function supersededEpoch(producerId: bigint, epoch: number, lastEpoch: number): ProtocolError {
  const text = `epoch ${epoch} of producer ${producerId} is older than ${lastEpoch}`;
  return new ProtocolError(Errors.INVALID_PRODUCER_EPOCH, text);
}

/** A transaction of an older epoch may be over for its coordinator already. */
export function isOpen(entry: ProducerEntry | undefined, epoch: number): boolean {
  return entry !== undefined && entry.txnFirstOffset >= 0 && entry.epoch === epoch;
}

/**
 * Of the first batch in a transaction, where nothing says which sequence comes next: none may come in before one that was
 * refused only for now. Late repeats of batches that are known say nothing about that.
 */
export function checkFirstSequence(
  bytes: Uint8Array,
  at: number,
  entry: ProducerEntry | undefined,
  pending: VerificationState,
): void {
  if (entry !== undefined && entry.batches.length > 0) return;
  const first = header.baseSequence(bytes, at);
  const expected = pending.supportsEpochBump ? 0 : pending.lowestSequence;
  if (first <= expected) return;
  const text = `producer ${header.producerId(bytes, at)} sent sequence ${first} before ${expected}`;
  throw new ProtocolError(Errors.OUT_OF_ORDER_SEQUENCE_NUMBER, text);
}

export function checkSequence(bytes: Uint8Array, at: number, entry: ProducerEntry, epoch: number): void {
  const first = header.baseSequence(bytes, at);
  let fits: boolean;
  if (epoch !== entry.epoch) {
    fits = first === 0 || entry.epoch === NO_EPOCH;
  } else {
    const last = entry.lastSequence;
    fits = first === last + 1 || (first === 0 && last === SEQUENCE_MAX);
  }
  if (fits) return;
  const text = `producer ${header.producerId(bytes, at)} epoch ${epoch} sent sequence ${first} after ${entry.lastSequence} of epoch ${entry.epoch}`;
  throw new ProtocolError(Errors.OUT_OF_ORDER_SEQUENCE_NUMBER, text);
}
