import { Errors, ProtocolError } from '../protocol/errors.ts';
import { ControlType, controlTypeOf, coordinatorEpochOf } from '../protocol/record-batch/control.ts';
import * as header from '../protocol/record-batch/header.ts';
import { type KafkaRecord, records } from '../protocol/record-batch/records.ts';
import type { DuplicateBatch, ProducerState, TxnMarker } from './producer-state.ts';
import type { Segments } from './segments.ts';
import type { AppendOrigin } from './types.ts';

interface MarkerRecord extends TxnMarker {
  readonly timestamp: bigint;
}

/** The marker in a control batch of a transaction; undefined for an empty one, which the cleaner leaves behind. */
function markerOf(bytes: Uint8Array, at: number): MarkerRecord | undefined {
  if (header.recordCount(bytes, at) === 0) return undefined;
  const first: KafkaRecord | undefined = records(bytes, { at }).next().value ?? undefined;
  if (first === undefined) return undefined;
  const type = controlTypeOf(first.key);
  if (type !== ControlType.ABORT && type !== ControlType.COMMIT) return undefined;
  const coordinatorEpoch = coordinatorEpochOf(first.value);
  return { isAbort: type === ControlType.ABORT, coordinatorEpoch, timestamp: first.timestamp };
}

/**
 * Checks a batch with a producer id against what its producer did before. Returns the earlier batch that it repeats.
 * Throws ProtocolError.
 */
export function checkProducer(
  producers: ProducerState,
  batch: Uint8Array,
  origin: AppendOrigin,
  transactionVersion: number,
): DuplicateBatch | undefined {
  if (header.isControl(batch, 0)) {
    const marker = readMarker(batch);
    if (marker !== undefined) producers.checkMarker(batch, 0, marker, transactionVersion);
    return undefined;
  }
  const duplicate = origin === 'client' ? producers.findDuplicate(batch, 0) : undefined;
  if (duplicate === undefined) producers.check(batch, 0, origin);
  return duplicate;
}

function readMarker(batch: Uint8Array): MarkerRecord | undefined {
  try {
    return markerOf(batch, 0);
  } catch (error) {
    throw new ProtocolError(
      Errors.INVALID_RECORD,
      error instanceof Error ? error.message : 'malformed control record',
    );
  }
}

/** Counts a batch with a producer id in; `undoable` until the next `settle`. */
export function applyBatch(producers: ProducerState, bytes: Uint8Array, at: number, undoable: boolean): void {
  if (!header.isControl(bytes, at)) {
    producers.append(bytes, at, undoable);
    return;
  }
  const marker = markerOf(bytes, at);
  if (marker !== undefined) producers.appendMarker(bytes, at, marker, marker.timestamp, undoable);
}

/** Makes the state anew from the batches of the log. Throws StorageError. */
export function replayProducers(producers: ProducerState, segments: Segments, logStartOffset: number): void {
  producers.clear();
  for (const segment of segments.all) {
    const scanner = segment.scan();
    while (scanner.next()) {
      if (!header.hasProducerId(scanner.bytes, scanner.at)) continue;
      if (header.lastOffset(scanner.bytes, scanner.at) < logStartOffset) continue;
      if (header.isControl(scanner.bytes, scanner.at)) scanner.loadWhole();
      applyBatch(producers, scanner.bytes, scanner.at, false);
    }
  }
}
