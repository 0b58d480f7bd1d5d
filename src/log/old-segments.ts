import type { BackgroundJob, StepEnd, Storage, StoredFile } from '../base/ports.ts';
import { StorageError } from '../base/ports.ts';
import {
  type CompressionCodec,
  CorruptCompressionError,
  OutputTooLargeError,
} from '../protocol/compression/codec.ts';
import { BatchBuilder } from '../protocol/record-batch/builder.ts';
import * as header from '../protocol/record-batch/header.ts';
import {
  InvalidMessageError,
  innerMessages,
  isMessageSet,
  type Message,
  type MessageSlot,
  messageCodec,
  messageCrcIsValid,
  messageMagic,
  messageOffset,
  messageTimestampType,
  readMessage,
  SMALLEST_MESSAGE_SIZE,
  wrapperOf,
} from '../protocol/record-batch/message-set.ts';
import { type CleanedSegmentInfo, CleanedSegmentWriter } from './cleaner/cleaned-segment.ts';
import { LOG_SUFFIX, offsetName, offsetOf } from './file-names.ts';
import { listFiles } from './leftovers.ts';
import { RELATIVE_OFFSET_MAX } from './offset-index.ts';
import { SEGMENT_BYTES_MAX } from './segment.ts';

/** Messages that stand alone are put together to batches of about so much. */
const BATCH_BYTES = 16 * 1024;
const STEP_BYTES = 1024 * 1024;
const BUFFER_BYTES = 1024 * 1024;

export interface SegmentToConvert {
  readonly dir: string;
  readonly baseOffset: number;
  readonly indexIntervalBytes: number;
  readonly segmentIndexBytes: number;
  /** Most bytes that one compressed message may unfold to. */
  readonly plainBytesMax: number;
}

export interface ConvertedSegment {
  /** Undefined where not even the first message could be converted; then nothing was written. */
  readonly cleaned: CleanedSegmentInfo | undefined;
  /** Where bytes begin that are no whole message, or none that can be read, and were kept as they are. */
  readonly stoppedAt: { readonly position: number; readonly reason: string } | undefined;
}

/**
 * Whether a folder with these files begins with format 0 or 1: a topic never went back from format 2, as good as never, and
 * conversion goes from the last segment to the first. Throws StorageError.
 */
export function beginsInOldFormat(
  storage: Storage,
  dir: string,
  files: readonly string[] = listFiles(storage, dir),
): boolean {
  const first = files.find((name) => isSegment(name) && (storage.sizeOf(`${dir}/${name}`) ?? 0) > 0);
  return first !== undefined && beginsWithOldMessage(storage, `${dir}/${first}`);
}

export const isSegment = (name: string): boolean => name.endsWith(LOG_SUFFIX) && offsetOf(name) !== undefined;

/** Whether a segment file begins with a message of format 0 or 1. Throws StorageError. */
export function beginsWithOldMessage(storage: Storage, path: string): boolean {
  const file = storage.open(path, 'read');
  try {
    const start = Buffer.allocUnsafe(header.HEADER_UP_TO_MAGIC);
    if (file.read(start, 0) < start.length || !isMessageSet(start)) return false;
    const size = header.sizeInBytes(start, 0);
    if (size < start.length || size > file.size()) return false;
    const message = Buffer.allocUnsafe(size);
    return file.read(message, 0) === size && isSound(message);
  } finally {
    file.close();
  }
}

/** Whether these bytes are a message of format 0 or 1: its CRC-32 says so. */
function isSound(bytes: Uint8Array): boolean {
  return (
    isMessageSet(bytes) &&
    bytes.length >= header.LOG_OVERHEAD + SMALLEST_MESSAGE_SIZE &&
    messageCrcIsValid(bytes, 0)
  );
}

/**
 * Writes a segment anew whose messages have format 0 or 1, as brokers before 0.11 wrote them: the same offsets, timestamps,
 * keys and values in batches of format 2, compressed messages as batches of their codec. Batches of format 2 are copied,
 * and so is all from the first damage on, so that whoever opens the log finds it where it was. The files wait under their
 * names with `.cleaned` behind, unsynced. Tells progress in bytes.
 */
export const convertSegment: BackgroundJob<SegmentToConvert, ConvertedSegment, number> = {
  name: 'convert-segment',
  *run(input, { storage }) {
    const file = storage.open(`${input.dir}/${offsetName(input.baseOffset)}${LOG_SUFFIX}`, 'read');
    const conversion = new Conversion(storage, file, input);
    try {
      return yield* conversion.run();
    } finally {
      conversion.close();
      file.close();
    }
  },
};

/** Messages that go into one batch. */
interface Group {
  readonly builder: BatchBuilder;
  readonly firstOffset: number;
  readonly type: header.TimestampType;
  readonly timestamp: bigint;
}

class Conversion {
  readonly #file: StoredFile;
  readonly #input: SegmentToConvert;
  readonly #writer: CleanedSegmentWriter;
  readonly #fileBytes: number;
  #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  /** What lies from `position` on. */
  #bytes = this.#buffer.subarray(0, 0);
  #position = 0;
  #nextOffset: number;
  #group: Group | undefined;
  #converted = 0;

  constructor(storage: Storage, file: StoredFile, input: SegmentToConvert) {
    this.#file = file;
    this.#input = input;
    this.#fileBytes = file.size();
    this.#nextOffset = input.baseOffset;
    this.#writer = new CleanedSegmentWriter(storage, input.baseOffset, {
      dir: input.dir,
      indexIntervalBytes: input.indexIntervalBytes,
      indexBytesMax: input.segmentIndexBytes,
      writeBufferBytes: BUFFER_BYTES,
      segmentBytesMax: SEGMENT_BYTES_MAX,
    });
  }

  *run(): Generator<StepEnd<number> | undefined, ConvertedSegment, void> {
    let stoppedAt: ConvertedSegment['stoppedAt'];
    let told = 0;
    while (this.#position < this.#fileBytes) {
      const reason = this.#takeNext();
      if (reason !== undefined) {
        stoppedAt = { position: this.#position, reason };
        break;
      }
      if (this.#position - told < STEP_BYTES) continue;
      yield { progress: this.#position - told };
      told = this.#position;
    }
    this.#endGroup();
    if (this.#converted > 0) yield* this.#copyRest();
    const cleaned = this.#writer.finish();
    return { cleaned: this.#converted > 0 ? cleaned : undefined, stoppedAt };
  }

  close(): void {
    this.#writer.close();
  }

  /** Why the next message or batch can't be taken; undefined where it was. */
  #takeNext(): string | undefined {
    if (!this.#have(header.HEADER_UP_TO_MAGIC)) return 'a message is torn';
    const size = header.sizeInBytes(this.#bytes, 0);
    if (size < header.LOG_OVERHEAD + SMALLEST_MESSAGE_SIZE) return 'no message begins there';
    if (!this.#have(size)) return 'a message is torn';
    const slice = this.#bytes.subarray(0, size);
    const magic = messageMagic(slice, 0);
    if (magic === header.CURRENT_MAGIC) {
      if (size < header.BATCH_OVERHEAD || !header.crcIsValid(slice, 0)) return 'a batch is damaged';
      this.#endGroup();
      this.#append(slice);
      this.#nextOffset = header.lastOffset(slice, 0) + 1;
    } else {
      if (!isSound(slice)) return 'a message is damaged';
      const refusal = this.#convert({ bytes: slice, at: 0, offset: messageOffset(slice, 0) });
      if (refusal !== undefined) return refusal;
      this.#converted += 1;
    }
    this.#position += size;
    this.#bytes = this.#bytes.subarray(size);
    return undefined;
  }

  #convert(slot: MessageSlot): string | undefined {
    try {
      const codec = messageCodec(slot.bytes, slot.at);
      if (codec === undefined) return 'a message has an unknown codec';
      if (codec === 'none') this.#takePlain(slot);
      else this.#takeCompressed(slot, codec);
      return undefined;
    } catch (error) {
      const isExpected =
        error instanceof InvalidMessageError ||
        error instanceof CorruptCompressionError ||
        error instanceof OutputTooLargeError;
      if (isExpected) return error.message;
      throw error;
    }
  }

  #takePlain(slot: MessageSlot): void {
    const message = readMessage(slot);
    this.#checkOffset(message.offset);
    const type = messageTimestampType(slot.bytes, slot.at) ?? 'CreateTime';
    if (this.#group === undefined || !fits(this.#group, message, type)) {
      this.#endGroup();
      this.#group = groupFor(message.offset, type, message.timestamp, 'none');
    }
    this.#group.builder.append(message);
    this.#nextOffset = message.offset + 1;
  }

  /** Its CRC covers those in it, which old producers may have left without right ones. */
  #takeCompressed(slot: MessageSlot, codec: CompressionCodec): void {
    const wrapper = wrapperOf(slot);
    const inner = innerMessages(slot, this.#input.plainBytesMax);
    const first = inner[0]!.offset;
    for (const [at, one] of inner.entries()) {
      if (at === 0) this.#checkOffset(one.offset);
      else if (one.offset <= inner[at - 1]!.offset) throw notAscending(one.offset);
      if (messageCodec(one.bytes, one.at) !== 'none')
        throw new InvalidMessageError('invalid', 'a compressed message holds another compressed one');
    }
    this.#checkOffset(inner.at(-1)!.offset);
    this.#endGroup();
    const { builder } = groupFor(first, wrapper.timestampType ?? 'CreateTime', wrapper.timestamp, codec);
    for (const one of inner) builder.append(readMessage(one, wrapper));
    this.#append(builder.build());
    this.#nextOffset = inner.at(-1)!.offset + 1;
  }

  #checkOffset(offset: number): void {
    if (offset < this.#nextOffset || offset - this.#input.baseOffset > RELATIVE_OFFSET_MAX)
      throw notAscending(offset);
  }

  #endGroup(): void {
    if (this.#group !== undefined) this.#append(this.#group.builder.build());
    this.#group = undefined;
  }

  #append(batch: Uint8Array): void {
    if (this.#writer.hasRoomFor(batch)) {
      this.#writer.append(batch);
      return;
    }
    const text = `${this.#file.path} would take more than ${SEGMENT_BYTES_MAX} bytes in message format 2`;
    throw new StorageError('EOTHER', this.#file.path, text);
  }

  *#copyRest(): Generator<StepEnd<number> | undefined, void, void> {
    while (this.#position < this.#fileBytes) {
      this.#have(Math.min(BUFFER_BYTES, this.#fileBytes - this.#position));
      this.#writer.appendRaw(this.#bytes);
      this.#position += this.#bytes.length;
      yield { progress: this.#bytes.length };
      this.#bytes = this.#bytes.subarray(this.#bytes.length);
    }
  }

  /** Makes `#bytes` hold as much, where the file does. */
  #have(count: number): boolean {
    if (this.#bytes.length >= count) return true;
    if (count > this.#fileBytes - this.#position) return false;
    if (count > this.#buffer.length) this.#buffer = Buffer.allocUnsafe(count);
    const wanted = Math.min(this.#buffer.length, this.#fileBytes - this.#position);
    const read = this.#file.read(this.#buffer.subarray(0, wanted), this.#position);
    this.#bytes = this.#buffer.subarray(0, read);
    return read >= count;
  }
}

function groupFor(
  baseOffset: number,
  type: header.TimestampType,
  timestamp: bigint,
  compression: CompressionCodec,
): Group {
  const time = type === 'LogAppendTime' ? { logAppendTime: timestamp } : {};
  const builder = new BatchBuilder({ baseOffset, compression, timestampType: type, ...time });
  return { builder, firstOffset: baseOffset, type, timestamp };
}

/** All records of a batch have the same type of timestamp, and with LogAppendTime the same one. */
function fits(group: Group, message: Message, type: header.TimestampType): boolean {
  if (group.type !== type || (type === 'LogAppendTime' && group.timestamp !== message.timestamp))
    return false;
  if (message.offset - group.firstOffset > RELATIVE_OFFSET_MAX) return false;
  const bytes = (message.key?.length ?? 0) + (message.value?.length ?? 0);
  return group.builder.sizeInBytes + bytes <= BATCH_BYTES;
}

function notAscending(offset: number): InvalidMessageError {
  return new InvalidMessageError('invalid', `a message has offset ${offset}, which can't stand there`);
}
