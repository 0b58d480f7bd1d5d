import type { Turn } from '../../base/ports.ts';
import { CorruptCompressionError, OutputTooLargeError } from '../../protocol/compression/codec.ts';
import { Errors } from '../../protocol/errors.ts';
import { NoDownConversionError, toMessageSet } from '../../protocol/record-batch/down-conversion.ts';
import { sizeInBytes } from '../../protocol/record-batch/header.ts';
import { messageBytes } from '../../protocol/record-batch/message-set.ts';
import type { OldMagic } from '../../protocol/record-batch/message-set-builder.ts';
import { InvalidRecordError } from '../../protocol/record-batch/records.ts';
import { failedFetch } from '../../replication/fetch-reader.ts';
import type { FetchedPartition } from '../../replication/fetch-types.ts';

/** Below it consumers know message format 0 alone, from it on format 1 (KIP-32). */
const FORMAT_1_VERSION_MIN = 2;
/** From it on consumers know record batches (KIP-98). */
const BATCH_VERSION_MIN = 4;
/** So many bytes are converted before the loop is given back; a batch is never cut in two. */
const SLICE_BYTES = 512 * 1024;
/** The beginning of a message, with offset -1 and a size that is not there: it says that there is one, too large to come. */
const OVERFLOW = Buffer.from('ffffffffffffffff0000003d', 'hex');

/** The message format that a consumer is given, undefined where it takes batches as they are. */
export function oldFormatOf(fetchVersion: number): OldMagic | undefined {
  if (fetchVersion >= BATCH_VERSION_MIN) return undefined;
  return fetchVersion >= FORMAT_1_VERSION_MIN ? 1 : 0;
}

/**
 * What was fetched, as message sets. A partition's set takes at most as many bytes as its batches did, but the first of them
 * that has messages comes whole. `done` runs before this returns unless there is much to convert; the batches must stay
 * valid until then. `broken` runs instead where something unexpected was thrown.
 */
export function convertFetched(
  fetched: readonly FetchedPartition[],
  magic: OldMagic,
  turn: Turn,
  done: (converted: readonly FetchedPartition[]) => void,
  broken: (error: unknown) => void,
): void {
  const conversions = fetched.map((one) => new PartitionConversion(one, magic));
  let at = 0;
  const slice = (): void => {
    try {
      for (let left = SLICE_BYTES; at < conversions.length; at += 1) {
        left = conversions[at]!.run(left);
        if (left <= 0) {
          turn.later(slice);
          return;
        }
      }
    } catch (error) {
      broken(error);
      return;
    }
    done(conversions.map((one) => one.result()));
  };
  slice();
}

/** One partition of a fetch on its way to an older format, in slices. */
class PartitionConversion {
  readonly #fetched: FetchedPartition;
  readonly #magic: OldMagic;
  readonly #sets: Uint8Array[] = [];
  #bytes = 0;
  #bytesMax: number;
  #chunk = 0;
  #at = 0;
  #ended = false;
  #failed: FetchedPartition | undefined;

  constructor(fetched: FetchedPartition, magic: OldMagic) {
    this.#fetched = fetched;
    this.#magic = magic;
    this.#bytesMax = fetched.sizeInBytes;
  }

  /** Converts until `bytes` of batches were looked at; returns what is left of them: more than 0 once this is done. */
  run(bytes: number): number {
    let left = bytes;
    const chunks = this.#fetched.records;
    while (left > 0 && !this.#ended && this.#chunk < chunks.length) {
      const chunk = chunks[this.#chunk]!;
      if (this.#at >= chunk.length) {
        this.#chunk += 1;
        this.#at = 0;
        continue;
      }
      const size = sizeInBytes(chunk, this.#at);
      this.#convert(chunk);
      this.#at += size;
      left -= size;
    }
    return left;
  }

  result(): FetchedPartition {
    if (this.#failed !== undefined) return this.#failed;
    const isEmpty = this.#sets.length === 0 && this.#fetched.sizeInBytes > 0;
    const records = isEmpty ? [OVERFLOW] : this.#sets;
    return { ...this.#fetched, records, sizeInBytes: isEmpty ? OVERFLOW.length : this.#bytes };
  }

  #convert(chunk: Uint8Array): void {
    let set: Buffer;
    try {
      set = toMessageSet(chunk, this.#at, this.#magic, this.#fetched.target.fetchOffset);
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (set.length === 0) return;
    if (this.#sets.length === 0) this.#bytesMax = Math.max(this.#bytesMax, set.length);
    const fitting = wholeMessages(set, this.#bytesMax - this.#bytes);
    if (fitting > 0) this.#sets.push(set.subarray(0, fitting));
    this.#bytes += fitting;
    this.#ended = fitting < set.length;
  }

  /** What was converted before is answered; the consumer learns of the failure when it comes back for the rest. */
  #fail(error: unknown): void {
    const isCorrupt =
      error instanceof InvalidRecordError ||
      error instanceof CorruptCompressionError ||
      error instanceof OutputTooLargeError;
    if (!isCorrupt && !(error instanceof NoDownConversionError)) throw error;
    this.#ended = true;
    if (this.#sets.length > 0) return;
    const code = isCorrupt ? Errors.CORRUPT_MESSAGE : Errors.UNSUPPORTED_COMPRESSION_TYPE;
    this.#failed = failedFetch(this.#fetched.target, code);
  }
}

/** Bytes of the messages of a set that end within `bytesMax`. */
function wholeMessages(set: Buffer, bytesMax: number): number {
  if (set.length <= bytesMax) return set.length;
  let at = 0;
  for (let next = messageBytes(set, 0); next <= bytesMax; next = at + messageBytes(set, at)) at = next;
  return at;
}
