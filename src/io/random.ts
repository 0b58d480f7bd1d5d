import { randomFillSync } from 'node:crypto';
import type { Random } from '../base/ports.ts';

const POOL_BYTES = 4096;
/** Uuids come from the pool; what is longer gets a call of its own. */
const POOLED_FILL_BYTES = 64;

/** Randomness of the operating system, drawn in blocks: a call of its own for each number costs microseconds. */
export class SystemRandom implements Random {
  readonly #pool = Buffer.allocUnsafeSlow(POOL_BYTES);
  #at = POOL_BYTES;

  below(bound: number): number {
    if (!(Number.isSafeInteger(bound) && bound > 0)) throw new RangeError(`no integer is below ${bound}`);
    // 53 bits; what lies in the last, incomplete round of `bound` is drawn again, so that no number is favoured.
    const limit = 2 ** 53 - (2 ** 53 % bound);
    for (;;) {
      const drawn = (this.#word() >>> 11) * 2 ** 32 + this.#word();
      if (drawn < limit) return drawn % bound;
    }
  }

  fill(into: Uint8Array): void {
    if (into.length > POOLED_FILL_BYTES) randomFillSync(into);
    else this.#pool.copy(into, 0, this.#draw(into.length));
  }

  #word(): number {
    return this.#pool.readUInt32LE(this.#draw(4));
  }

  /** Where so many bytes lie in the pool that nobody was given before. */
  #draw(bytes: number): number {
    if (this.#at + bytes > POOL_BYTES) {
      randomFillSync(this.#pool);
      this.#at = 0;
    }
    this.#at += bytes;
    return this.#at - bytes;
  }
}
