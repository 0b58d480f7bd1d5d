import { Errors, ProtocolError } from '../protocol/errors.ts';
import {
  ControlType,
  controlTypeOf,
  coordinatorEpochOf,
  readEndTxnMarker,
} from '../protocol/record-batch/control.ts';
import * as header from '../protocol/record-batch/header.ts';
import { InvalidRecordError, type KafkaRecord, records } from '../protocol/record-batch/records.ts';
import type { BatchScanner } from './batch-scanner.ts';
import type { DuplicateBatch, ProducerState, TxnMarker } from './producer-state.ts';
import type { Segment } from './segment.ts';
import type { AppendOptions } from './types.ts';

const REPLAY_STEP_BYTES = 4 * 1024 * 1024;

interface MarkerRecord extends TxnMarker {
  readonly timestamp: bigint;
}

/** The marker in a control batch of a transaction; undefined for an empty one, which the cleaner leaves behind. */
function markerOf(bytes: Uint8Array, at: number): MarkerRecord | undefined {
  const ours = readEndTxnMarker(bytes, at);
  if (ours !== undefined) {
    const { committed, coordinatorEpoch, timestamp } = ours;
    return { isAbort: !committed, coordinatorEpoch, timestamp };
  }
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
  { origin, transactionVersion, transaction }: AppendOptions,
): DuplicateBatch | undefined {
  if (header.isControl(batch, 0)) {
    const marker = readMarker(batch);
    if (marker !== undefined) producers.checkMarker(batch, 0, marker, transactionVersion ?? 0);
    return undefined;
  }
  const duplicate = origin === 'client' ? producers.findDuplicate(batch, 0) : undefined;
  if (duplicate === undefined) producers.check(batch, 0, origin, transaction);
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

/**
 * Counts a batch with a producer id in; `undoable` until the next `settle`. A marker that can't be read, which no broker
 * appends, counts for nothing.
 */
export function applyBatch(producers: ProducerState, bytes: Uint8Array, at: number, undoable: boolean): void {
  if (!header.isControl(bytes, at)) {
    producers.append(bytes, at, undoable);
    return;
  }
  let marker: MarkerRecord | undefined;
  try {
    marker = markerOf(bytes, at);
  } catch (error) {
    if (!(error instanceof InvalidRecordError)) throw error;
  }
  if (marker !== undefined) producers.appendMarker(bytes, at, marker, marker.timestamp, undoable);
}

/** Counts the scanner's batch in while the state is made anew. */
export function applyScanned(producers: ProducerState, scanner: BatchScanner): void {
  if (!header.hasProducerId(scanner.bytes, scanner.at)) return;
  if (header.isControl(scanner.bytes, scanner.at)) scanner.loadWhole();
  applyBatch(producers, scanner.bytes, scanner.at, false);
}

/**
 * Counts the batches from offset `from` on in, up to the end of `segments`, a step for each megabyte or so. `atBase` runs
 * when all before a segment's base is counted. Throws StorageError.
 */
export function* replayProducers(
  producers: ProducerState,
  segments: readonly Segment[],
  from: number,
  atBase: (baseOffset: number) => void = () => {},
): Generator<undefined, void, void> {
  for (const [index, segment] of segments.entries()) {
    const next = segments[index + 1];
    if (next !== undefined && next.baseOffset <= from) continue;
    if (segment.baseOffset > from) atBase(segment.baseOffset);
    const scanner = segment.scan(from > segment.baseOffset ? segment.offsets.positionFor(from) : 0);
    let stepEnd = REPLAY_STEP_BYTES;
    while (scanner.next()) {
      if (header.lastOffset(scanner.bytes, scanner.at) >= from) applyScanned(producers, scanner);
      if (scanner.position < stepEnd) continue;
      stepEnd = scanner.position + REPLAY_STEP_BYTES;
      yield;
    }
  }
}
