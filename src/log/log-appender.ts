import type { LogConfig } from '../config/log-config.ts';
import { Errors, ProtocolError } from '../protocol/errors.ts';
import * as header from '../protocol/record-batch/header.ts';
import { isMessageSet } from '../protocol/record-batch/message-set.ts';
import { appendInfo, spanOf } from './batch-span.ts';
import type { LoadedLog } from './loaded-log.ts';
import { checkBatches, isFitAsBuilt, validateForLeader } from './log-validator.ts';
import type { LogWriter } from './log-writer.ts';
import { convertMessageSet } from './message-set-append.ts';
import { applyBatch, checkProducer } from './producer-updates.ts';
import type { SegmentLifecycle } from './segment-lifecycle.ts';
import { guarded, rethrow, storageError } from './storage-errors.ts';
import type { AppendInfo, AppendOptions, AppendOrigin } from './types.ts';

const NO_APPEND_TIME = -1n;

interface LogAppenderInput {
  readonly loaded: LoadedLog;
  readonly config: () => LogConfig;
  readonly writer: LogWriter;
  readonly lifecycle: SegmentLifecycle;
  readonly logStart: () => number;
  readonly failed: (error: unknown) => void;
}

/**
 * Checks what is to be appended, has a segment begun where one is due, gives offsets and leader epochs, and hands the bytes
 * to the writer. Producer state and epochs follow at once, ahead of the bytes.
 */
export class LogAppender {
  readonly #input: LogAppenderInput;
  readonly #loaded: LoadedLog;
  readonly #writer: LogWriter;
  /** Of those that have batches: the file has it. */
  #latestEpoch: number;

  constructor(input: LogAppenderInput) {
    this.#input = input;
    this.#loaded = input.loaded;
    this.#writer = input.writer;
    this.#latestEpoch = input.loaded.epochs.latestWithBatch?.epoch ?? -1;
  }

  /** The epoch cache was changed by somebody else. */
  epochsChanged(): void {
    this.#latestEpoch = this.#loaded.epochs.latestWithBatch?.epoch ?? -1;
  }

  /** See `PartitionLog.appendAsLeader`. */
  appendAsLeader(records: Buffer, leaderEpoch: number, options: AppendOptions): AppendInfo {
    const { origin } = options;
    const config = this.#input.config();
    const nowMs = this.#loaded.ports.clock.wallMs();
    if (origin === 'raft') {
      const validBytes = checkBatches(records, origin, config, leaderEpoch);
      return this.#appendGiven(records.subarray(0, validBytes), options.done);
    }
    const batch = this.#checked(records, origin, leaderEpoch, nowMs);
    if (batch.length === 0) {
      options.done(undefined);
      return appendInfo(-1, -2, NO_APPEND_TIME, this.#input.logStart(), false);
    }
    if (batch.length > config.segmentBytes) {
      const text = `the batch has ${batch.length} bytes, more than a segment of ${config.segmentBytes}`;
      throw new ProtocolError(Errors.RECORD_LIST_TOO_LARGE, text);
    }
    const { producers } = this.#loaded;
    const hasProducer = header.hasProducerId(batch, 0);
    if (hasProducer) {
      const duplicate = checkProducer(producers, batch, options);
      if (duplicate !== undefined) {
        this.#writer.whenPublished(duplicate.lastOffset + 1, options.done);
        const { firstOffset, lastOffset, timestamp } = duplicate;
        // As Apache has it: a repeat reports the first one's timestamp as append time, whatever the type.
        return appendInfo(firstOffset, lastOffset, timestamp, this.#input.logStart(), true);
      }
    }
    const delta = header.lastOffsetDelta(batch, 0);
    const end = this.#writer.assignedEnd;
    this.#maybeRoll(batch.length, end, end + delta, header.roundedMaxTimestamp(batch, 0), nowMs);
    const firstOffset = this.#writer.assignedEnd;
    if (leaderEpoch !== this.#latestEpoch) this.#assignEpoch(leaderEpoch, firstOffset);
    header.setBaseOffset(batch, 0, firstOffset);
    header.setPartitionLeaderEpoch(batch, 0, leaderEpoch);
    if (hasProducer) applyBatch(producers, batch, 0, true);
    const logAppendTimeMs = config.messageTimestampType === 'LogAppendTime' ? BigInt(nowMs) : NO_APPEND_TIME;
    const lastOffset = firstOffset + delta;
    const info = appendInfo(firstOffset, lastOffset, logAppendTimeMs, this.#input.logStart(), false);
    this.#writer.take(batch, lastOffset + 1, options.done, options.atOnce);
    return info;
  }

  /** Appends batches with the offsets they have, written at once. Throws ProtocolError. */
  appendAsFollower(records: Buffer, done: (error: Error | undefined) => void): AppendInfo {
    const config = { ...this.#input.config(), maxMessageBytes: records.length };
    const validBytes = checkBatches(records, 'coordinator', config, -1);
    return this.#appendGiven(records.subarray(0, validBytes), done);
  }

  /** Begins a segment at the end of the log, behind what is staged, which must be written. */
  rollAt(baseOffset: number): void {
    const roll = () => {
      // Apache flushes the old segment in the background too, and moves the recovery point when that is done.
      if (this.#input.lifecycle.roll(baseOffset)) this.#writer.startSync();
    };
    guarded(roll, this.#input.failed);
  }

  /** One batch as it is to be written; no bytes where a client sent none. */
  #checked(records: Buffer, origin: AppendOrigin, leaderEpoch: number, nowMs: number): Buffer {
    const config = this.#input.config();
    const { shared } = this.#loaded;
    if (origin === 'client' && isMessageSet(records)) {
      return convertMessageSet(records, config, shared, nowMs);
    }
    if (origin === 'coordinator' && isFitAsBuilt(records, config)) return records;
    const validBytes = checkBatches(records, origin, config, leaderEpoch);
    const batch = validBytes === records.length ? records : records.subarray(0, validBytes);
    if (validBytes === 0) return batch;
    if (header.sizeInBytes(batch, 0) !== batch.length)
      throw new ProtocolError(Errors.INVALID_RECORD, 'more than one batch');
    return validateForLeader(batch, origin, config, shared, nowMs);
  }

  #appendGiven(batches: Buffer, done: (error: Error | undefined) => void): AppendInfo {
    const { firstOffset, lastOffset, timestamp } = spanOf(batches, this.#writer.assignedEnd);
    this.#maybeRoll(batches.length, firstOffset, lastOffset, timestamp, this.#loaded.ports.clock.wallMs());
    this.#writeStaged();
    for (let at = 0; at < batches.length; at += header.sizeInBytes(batches, at)) {
      const epoch = header.partitionLeaderEpoch(batches, at);
      if (epoch > this.#latestEpoch) this.#assignEpoch(epoch, header.baseOffset(batches, at));
    }
    const { producers } = this.#loaded;
    for (let at = 0; at < batches.length; at += header.sizeInBytes(batches, at)) {
      if (header.hasProducerId(batches, at)) applyBatch(producers, batches, at, true);
    }
    const info = appendInfo(firstOffset, lastOffset, NO_APPEND_TIME, this.#input.logStart(), false);
    this.#writer.writeNow(batches, lastOffset + 1, done);
    return info;
  }

  /** A batch of this epoch is about to be written. Throws ProtocolError(KAFKA_STORAGE_ERROR). */
  #assignEpoch(epoch: number, startOffset: number): void {
    guarded(() => this.#loaded.epochs.assign(epoch, startOffset), this.#input.failed);
    this.epochsChanged();
  }

  #maybeRoll(bytes: number, firstOffset: number, lastOffset: number, timestamp: number, nowMs: number): void {
    const { lifecycle } = this.#input;
    try {
      // Where the log was just opened this reads its first timestamp and its indexes.
      if (!lifecycle.mustRollFor(bytes, this.#writer, lastOffset, timestamp, nowMs)) return;
    } catch (error) {
      rethrow(error);
    }
    this.#writeStaged();
    this.rollAt(firstOffset);
  }

  #writeStaged(): void {
    if (!this.#writer.writeStagedUntold()) throw storageError('the bytes staged before were not written');
  }
}
