import type { LogConfig } from '../config/log-config.ts';
import {
  type CompressionCodec,
  CorruptCompressionError,
  OutputTooLargeError,
} from '../protocol/compression/codec.ts';
import type { PlainScratch } from '../protocol/compression/scratch.ts';
import { Errors, ProtocolError } from '../protocol/errors.ts';
import { BatchBuilder, type BatchOptions } from '../protocol/record-batch/builder.ts';
import * as header from '../protocol/record-batch/header.ts';
import { plainPayload, records } from '../protocol/record-batch/records.ts';
import { type RecordWalk, walkFailureText, walkRecords } from '../protocol/record-batch/walk.ts';
import { int32At } from './batch-bytes.ts';
import { isInRange, RecordChecks, RecordValidationError, rangeText } from './record-checks.ts';
import type { AppendOrigin } from './types.ts';

const SMALLEST_RECORD_BYTES = 14;
const CODEC_ID_MAX = 4;
/** From this version of Produce on there is one batch of format 2 per partition (KIP-98). */
const BATCH_VERSION_MIN = 3;
/** Beyond it differences to the clock may leave 64 bits. */
const FAR_AWAY_MS = 2 ** 62;

/** The part of a log's settings that validation looks at. */
export type ValidationSettings = Pick<
  LogConfig,
  | 'maxMessageBytes'
  | 'segmentBytes'
  | 'cleanupPolicy'
  | 'compressionType'
  | 'messageTimestampType'
  | 'messageTimestampBeforeMaxMs'
  | 'messageTimestampAfterMaxMs'
  | 'compressionGzipLevel'
  | 'compressionLz4Level'
  | 'compressionZstdLevel'
>;

export interface ValidationOptions {
  /** Walk the records of compressed batches too, as Apache does. */
  readonly walkCompressed: boolean;
  /** Most bytes that one compressed batch may unfold to. */
  readonly plainBytesMax: number;
}

export interface ValidationTools {
  readonly options: ValidationOptions;
  /** Where compressed batches are unfolded. */
  readonly scratch: PlainScratch;
}

/**
 * What Apache checks of a produce request's records before it looks at the partition: exactly one whole batch, of format 2,
 * and zstd only from Produce 7 on (KIP-110). Throws ProtocolError. Below Produce 3 any number of messages of any format may
 * come, also none: the log tells.
 */
export function checkProducedRecords(bytes: Uint8Array, produceVersion: number): void {
  const isOld = produceVersion < BATCH_VERSION_MIN;
  const size = nextBatchSize(bytes, 0);
  if (size === -1) {
    if (isOld) return;
    throw invalid(`Produce v${produceVersion}: there is no whole record batch for the partition`);
  }
  if (bytes[header.MAGIC_AT] !== header.CURRENT_MAGIC) {
    if (isOld) return;
    throw invalid(
      `Produce v${produceVersion}: only the message format 2 is taken, not ${bytes[header.MAGIC_AT]}`,
    );
  }
  if (produceVersion < 7 && size >= header.BATCH_OVERHEAD && header.compressionOf(bytes, 0) === 'zstd') {
    const text = `Produce v${produceVersion}: zstd needs v7 or above`;
    throw new ProtocolError(Errors.UNSUPPORTED_COMPRESSION_TYPE, text);
  }
  if (nextBatchSize(bytes, size) !== -1) {
    throw invalid(`Produce v${produceVersion}: there is more than one record batch for the partition`);
  }
}

/**
 * Size of the batch at `at`, in any format; -1 where less than a whole one is left. Throws CORRUPT_MESSAGE for a length or
 * a magic that no batch can have.
 */
export function nextBatchSize(bytes: Uint8Array, at: number): number {
  const left = bytes.length - at;
  if (left < header.LOG_OVERHEAD) return -1;
  const length = int32At(bytes, at + header.BATCH_LENGTH_AT);
  if (length < SMALLEST_RECORD_BYTES)
    throw corrupt(`the batch has a length of ${length}, and no record is smaller than 14`);
  if (left < header.HEADER_UP_TO_MAGIC) return -1;
  const magic = header.magic(bytes, at);
  if (magic < 0 || magic > header.CURRENT_MAGIC)
    throw corrupt(`there is no message format ${magic}, only 0 to 2`);
  return length + header.LOG_OVERHEAD > left ? -1 : length + header.LOG_OVERHEAD;
}

/**
 * The checks that need no records: sizes, magic, CRC, offsets as far as the origin has a say in them. Returns the bytes of
 * whole batches; what follows them is cut off, as Apache does. A client may append none at all. Throws ProtocolError.
 */
export function checkBatches(
  bytes: Uint8Array,
  origin: AppendOrigin,
  settings: ValidationSettings,
  leaderEpoch: number,
): number {
  let at = 0;
  let count = 0;
  for (let size = nextBatchSize(bytes, at); size !== -1; size = nextBatchSize(bytes, at)) {
    const magic = bytes[at + header.MAGIC_AT]!;
    if (magic !== header.CURRENT_MAGIC) {
      if (count > 0) throw invalid('a message of an older format stands behind a record batch');
      throw new ProtocolError(
        Errors.UNSUPPORTED_FOR_MESSAGE_FORMAT,
        `message format ${magic} is not supported`,
      );
    }
    if (size < header.BATCH_OVERHEAD) throw corrupt(`the batch has ${size} bytes, less than its header`);
    if (origin === 'raft' && header.partitionLeaderEpoch(bytes, at) !== leaderEpoch) {
      throw invalid(
        `the batch has leader epoch ${header.partitionLeaderEpoch(bytes, at)}, not ${leaderEpoch}`,
      );
    }
    if (origin === 'client' && header.baseOffset(bytes, at) !== 0) {
      throw invalid(`the batch has the base offset ${header.baseOffset(bytes, at)}; a client sends 0`);
    }
    if (size > settings.maxMessageBytes) {
      const text = `the batch has ${size} bytes, and max.message.bytes is ${settings.maxMessageBytes}`;
      throw new ProtocolError(Errors.MESSAGE_TOO_LARGE, text);
    }
    if (!header.crcIsValid(bytes, at))
      throw corrupt(`the batch does not fit its CRC (${header.crc(bytes, at)})`);
    if (header.compressionId(bytes, at) > CODEC_ID_MAX) {
      const text = `unknown compression type id ${header.compressionId(bytes, at)}`;
      throw new ProtocolError(Errors.UNSUPPORTED_COMPRESSION_TYPE, text);
    }
    at += size;
    count += 1;
    if (origin === 'client' && count > 1) throw invalid('there is more than one batch for the partition');
  }
  if (count === 0 && origin !== 'client') throw invalid('there is no whole batch');
  return at;
}

/**
 * Whether a batch which this node has built goes into the log as it is: it was made a moment ago with its CRC, so only what
 * the topic wants is to be asked for. Where it does not, the other checks say why, or it is made anew.
 */
export function isFitAsBuilt(batch: Uint8Array, settings: ValidationSettings): boolean {
  if (batch.length < header.BATCH_OVERHEAD || header.sizeInBytes(batch, 0) !== batch.length) return false;
  if (batch.length > settings.maxMessageBytes || settings.messageTimestampType !== 'CreateTime') return false;
  const codec = header.compressionOf(batch, 0) ?? 'none';
  return codec === 'none' && (header.isControl(batch, 0) || targetCodec(settings, codec) === codec);
}

/**
 * Checks the one batch in `batch` (exactly its bytes, CRC checked) for the leader, and makes it what the topic wants:
 * timestamp type, codec, dense offsets. Returns `batch`, changed in place, or another one that takes its place.
 * Throws ProtocolError, a RecordValidationError where single records are to blame.
 */
export function validateForLeader(
  batch: Buffer,
  origin: AppendOrigin,
  settings: ValidationSettings,
  { options, scratch }: ValidationTools,
  nowMs: number,
): Buffer {
  if (origin === 'client') checkHeader(batch);
  const codec = header.compressionOf(batch, 0) ?? 'none';
  const wanted = targetCodec(settings, codec);
  const isControl = header.isControl(batch, 0);
  const recompress = wanted !== codec && !(isControl && codec === 'none');
  if (codec !== 'none' && !options.walkCompressed && !recompress) return unwalked(batch, settings, nowMs);
  const walk = walkPayload(batch, codec === 'none', options.plainBytesMax, scratch);
  checkRecords(batch, walk, settings, options, nowMs);
  if (recompress || walk.firstOffsetGap >= 0) return rebuild(batch, wanted, settings, options, nowMs);
  if (settings.messageTimestampType === 'LogAppendTime') {
    header.setMaxTimestampAndType(batch, 0, BigInt(nowMs), 'LogAppendTime');
  } else {
    setCreateTime(batch, walk);
  }
  return batch;
}

function checkHeader(batch: Buffer): void {
  const countFromOffsets = header.lastOffsetDelta(batch, 0) + 1;
  const count = header.recordCount(batch, 0);
  if (countFromOffsets <= 0) throw invalid(`the batch has a last offset delta of ${countFromOffsets - 1}`);
  if (count <= 0) throw invalid(`the batch claims to have ${count} records`);
  if (countFromOffsets !== count) {
    throw invalid(
      `the offsets of the batch go from 0 to ${countFromOffsets - 1}, but it claims to have ${count} records`,
    );
  }
  if (header.isControl(batch, 0)) throw invalid('control batches are for brokers to write');
  if (header.hasProducerId(batch, 0) && header.baseSequence(batch, 0) < 0) {
    throw invalid(
      `producer id ${header.producerId(batch, 0)} sends the sequence number ${header.baseSequence(batch, 0)}`,
    );
  }
}

/** The codec that the topic wants, or that of the producer. */
export function targetCodec(settings: ValidationSettings, source: CompressionCodec): CompressionCodec {
  const { compressionType } = settings;
  if (compressionType === 'producer') return source;
  return compressionType === 'uncompressed' ? 'none' : compressionType;
}

function walkPayload(
  batch: Buffer,
  isPlain: boolean,
  plainBytesMax: number,
  scratch: PlainScratch,
): RecordWalk {
  const count = header.recordCount(batch, 0);
  let walk: RecordWalk;
  if (isPlain) {
    walk = walkRecords(batch, header.RECORDS_AT, batch.length, count);
  } else {
    const payload = unfold(batch, plainBytesMax, scratch);
    walk = walkRecords(payload, 0, payload.length, count);
  }
  if (walk.failure !== undefined) throw invalid(walkFailureText(walk.failure, walk.records));
  return walk;
}

function unfold(batch: Buffer, plainBytesMax: number, scratch: PlainScratch): Uint8Array {
  try {
    return plainPayload(batch, 0, plainBytesMax, scratch);
  } catch (error) {
    if (error instanceof OutputTooLargeError)
      throw new ProtocolError(Errors.MESSAGE_TOO_LARGE, error.message);
    if (error instanceof CorruptCompressionError) throw invalid(error.message);
    throw error;
  }
}

/** Finds the records to blame only when the walk's summary says that there may be some. */
function checkRecords(
  batch: Buffer,
  walk: RecordWalk,
  settings: ValidationSettings,
  options: ValidationOptions,
  nowMs: number,
): void {
  const needKeys = settings.cleanupPolicy.includes('compact');
  const givenType = header.timestampType(batch, 0);
  const base = header.roundedBaseTimestamp(batch, 0);
  const timesAreFine =
    settings.messageTimestampType !== 'CreateTime' ||
    (isSurelyInRange(base + walk.minTimestampDelta, settings, nowMs) &&
      isSurelyInRange(base + walk.maxTimestampDelta, settings, nowMs));
  if (timesAreFine && givenType === 'CreateTime' && !(needKeys && walk.firstWithoutKey >= 0)) return;
  const checks = new RecordChecks(settings, givenType, nowMs);
  for (const record of records(batch, { maxPlainBytes: options.plainBytesMax })) checks.check(record);
  checks.finish();
}

/** False also where the timestamp is so far off that only `isInRange` tells. */
function isSurelyInRange(timestamp: number, settings: ValidationSettings, nowMs: number): boolean {
  const before = settings.messageTimestampBeforeMaxMs;
  const after = settings.messageTimestampAfterMaxMs;
  if (Math.abs(timestamp) > FAR_AWAY_MS) return false;
  const isNotTooOld = before >= Number.MAX_SAFE_INTEGER || nowMs - timestamp <= before;
  return isNotTooOld && (after >= Number.MAX_SAFE_INTEGER || timestamp - nowMs <= after);
}

/** The batch's max timestamp must be what its records say; most producers got it right and nothing is written. */
function setCreateTime(batch: Buffer, walk: RecordWalk): void {
  const hasLogAppendTime = header.timestampType(batch, 0) === 'LogAppendTime';
  const expected = Math.max(-1, header.roundedBaseTimestamp(batch, 0) + walk.maxTimestampDelta);
  const claimed = header.roundedMaxTimestamp(batch, 0);
  if (expected === claimed && Number.isSafeInteger(expected) && !hasLogAppendTime && !walk.wide) return;
  let max = hasLogAppendTime ? header.maxTimestamp(batch, 0) : -1n;
  if (!hasLogAppendTime && !walk.wide) {
    const sum = BigInt.asIntN(64, header.baseTimestamp(batch, 0) + BigInt(walk.maxTimestampDelta));
    if (sum > max) max = sum;
  } else if (!hasLogAppendTime) {
    for (const record of records(batch)) if (record.timestamp > max) max = record.timestamp;
  }
  header.setMaxTimestampAndType(batch, 0, max, 'CreateTime');
}

/** A compressed batch that nobody unfolds: its header is believed. */
function unwalked(batch: Buffer, settings: ValidationSettings, nowMs: number): Buffer {
  if (settings.messageTimestampType === 'LogAppendTime') {
    header.setMaxTimestampAndType(batch, 0, BigInt(nowMs), 'LogAppendTime');
    return batch;
  }
  const newest = header.maxTimestamp(batch, 0);
  if (newest !== -1n && !isInRange(newest, settings, nowMs)) {
    const text = rangeText(header.maxTimestamp(batch, 0), 0, settings, nowMs);
    throw new RecordValidationError(Errors.INVALID_TIMESTAMP, text, [{ batchIndex: 0, message: text }]);
  }
  header.setMaxTimestampAndType(batch, 0, header.maxTimestamp(batch, 0), 'CreateTime');
  return batch;
}

function rebuild(
  batch: Buffer,
  codec: CompressionCodec,
  settings: ValidationSettings,
  options: ValidationOptions,
  nowMs: number,
): Buffer {
  const builder = batchBuilderFor(codec, settings, nowMs, {
    producerId: header.producerId(batch, 0),
    producerEpoch: header.producerEpoch(batch, 0),
    baseSequence: header.baseSequence(batch, 0),
    isTransactional: header.isTransactional(batch, 0),
    isControl: header.isControl(batch, 0),
  });
  for (const { timestamp, key, value, headers } of records(batch, { maxPlainBytes: options.plainBytesMax })) {
    builder.append({ timestamp, key, value, headers });
  }
  return checkedSize(builder.build(), settings);
}

/** A builder for a batch that the leader writes anew, as the topic wants it. Offsets count from 0. */
export function batchBuilderFor(
  codec: CompressionCodec,
  settings: ValidationSettings,
  nowMs: number,
  given: BatchOptions,
): BatchBuilder {
  const appended = settings.messageTimestampType === 'LogAppendTime';
  const level = levelOf(codec, settings);
  return new BatchBuilder({
    compression: codec,
    ...(level === undefined ? {} : { compressionLevel: level }),
    ...(appended ? { timestampType: 'LogAppendTime' as const, logAppendTime: BigInt(nowMs) } : {}),
    ...given,
  });
}

/** The batch that was written anew, unless it became too large: MESSAGE_TOO_LARGE then. */
export function checkedSize(batch: Buffer, settings: ValidationSettings): Buffer {
  if (batch.length <= settings.maxMessageBytes) return batch;
  const text = `written anew, the batch has ${batch.length} bytes, and max.message.bytes is ${settings.maxMessageBytes}`;
  throw new ProtocolError(Errors.MESSAGE_TOO_LARGE, text);
}

function levelOf(codec: string, settings: ValidationSettings): number | undefined {
  if (codec === 'gzip') return settings.compressionGzipLevel;
  if (codec === 'lz4') return settings.compressionLz4Level;
  return codec === 'zstd' ? settings.compressionZstdLevel : undefined;
}

function invalid(message: string): ProtocolError {
  return new ProtocolError(Errors.INVALID_RECORD, message);
}

function corrupt(message: string): ProtocolError {
  return new ProtocolError(Errors.CORRUPT_MESSAGE, message);
}
