/**
 * Requests that are encoded before the clock starts and then only written over: real members are processes of their own
 * and encode side by side, while here one process does it for all of them.
 */

export const CLIENT_ID = 'bench';
/** Stands for a member id in a frame; as long as what both brokers give, the client id and a UUID. */
export const MEMBER_MARK = `${CLIENT_ID}-${'?'.repeat(36)}`;
/** Stands for the generation or epoch. */
export const EPOCH_MARK = 0x7a5c_3e1f;
/** Stands for a partition. */
export const PARTITION_MARK = 0x7a5c_3e2f;

const PARTITION_BYTES = 4;
/** A compact list says in one byte that it has up to so many entries. */
const SHORT_LIST_MAX = 126;

/** A frame in which the member id and the epoch are written over. It must not change before its answer is there. */
export class PatchedFrame {
  readonly bytes: Buffer;
  readonly #memberAt: number;
  readonly #epochAt: number;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.#memberAt = bytes.indexOf(MEMBER_MARK);
    this.#epochAt = bytes.indexOf(int32(EPOCH_MARK));
  }

  from(memberId: string): this {
    if (this.#memberAt < 0 || memberId.length !== MEMBER_MARK.length)
      throw new Error(`a frame has no place for the member id ${memberId}`);
    this.bytes.write(memberId, this.#memberAt, 'latin1');
    return this;
  }

  at(epoch: number): this {
    this.bytes.writeInt32BE(epoch, this.#epochAt);
    return this;
  }
}

/** A frame that was encoded with {@link PARTITION_MARK} in a list, whose entry is repeated for as many as are wanted. */
export class PartitionsFrame {
  readonly #made: Buffer;
  readonly #entryAt: number;
  readonly #entryEnd: number;
  readonly #isCompact: boolean;

  /** An entry has so many bytes, the partition first. */
  constructor(made: Buffer, { entryBytes = PARTITION_BYTES, isCompact = false } = {}) {
    this.#made = made;
    this.#entryAt = made.indexOf(int32(PARTITION_MARK));
    this.#entryEnd = this.#entryAt + entryBytes;
    this.#isCompact = isCompact;
  }

  of(partitions: readonly number[]): Buffer {
    const entry = this.#made.subarray(this.#entryAt, this.#entryEnd);
    const entries = partitions.map(() => entry);
    const [before, after] = [this.#made.subarray(0, this.#entryAt), this.#made.subarray(this.#entryEnd)];
    const frame = Buffer.concat([before, ...entries, after]);
    frame.writeInt32BE(frame.length - 4);
    if (!this.#isCompact) frame.writeInt32BE(partitions.length, this.#entryAt - 4);
    else if (partitions.length <= SHORT_LIST_MAX) frame[this.#entryAt - 1] = partitions.length + 1;
    else throw new Error(`a frame has no place for ${partitions.length} partitions`);
    for (const [i, partition] of partitions.entries())
      frame.writeInt32BE(partition, this.#entryAt + i * entry.length);
    return frame;
  }
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
