import type { FramePool } from '../base/ports.ts';
import { Writer } from '../protocol/writer.ts';

/** Answers up to this size are copied out of the writer, which is then free for the next one. */
const COPIED_BYTES_MAX = 2048;

export interface EncodedAnswer {
  readonly chunks: readonly Uint8Array[];
  readonly sizeInBytes: number;
  /** Gives back what the chunks lie in, once they are sent; undefined where nothing is to be given back. */
  readonly release: (() => void) | undefined;
}

/**
 * Encodes answers into pooled memory. Small ones share a writer with memory of its own, larger ones keep theirs until
 * they are sent.
 */
export class AnswerEncoder {
  readonly #pool: FramePool;
  readonly #own: Writer;
  #spare: Writer | undefined;

  constructor(pool: FramePool) {
    this.#pool = pool;
    this.#own = new Writer(pool, undefined, Buffer.allocUnsafeSlow(COPIED_BYTES_MAX));
    this.#spare = this.#own;
  }

  /** `write` writes one whole frame. What it throws is thrown on. */
  encode(write: (writer: Writer) => void): EncodedAnswer {
    const writer = this.#spare ?? new Writer(this.#pool);
    this.#spare = undefined;
    try {
      write(writer);
    } catch (error) {
      writer.release();
      this.#spare = writer;
      throw error;
    }
    const sizeInBytes = writer.length;
    if (sizeInBytes <= COPIED_BYTES_MAX) {
      const copy = Buffer.allocUnsafe(sizeInBytes);
      writer.copyTo(copy);
      writer.release();
      this.#spare = writer;
      return { chunks: [copy], sizeInBytes, release: undefined };
    }
    return { chunks: writer.chunks(), sizeInBytes, release: () => this.#release(writer) };
  }

  #release(writer: Writer): void {
    writer.release();
    if (writer === this.#own) this.#spare = writer;
  }
}
