/** The secret of a {@link KeyHash}: four 32-bit words. */
export type HashSecret = readonly [number, number, number, number];

/**
 * A keyed 128-bit hash of record keys: HalfSipHash-2-4 with 64 bits of output, twice under independent secrets. Apache
 * Kafka takes MD5 here, whose collisions anybody can compute beforehand; these depend on a secret that is drawn for each
 * run of the cleaner and never leaves it, so that nobody can choose a key which makes another one's value disappear. By
 * chance two of 2^32 keys collide once in 2^65 runs. It needs 32-bit arithmetic only, which is what JavaScript is fast at.
 */
export class KeyHash {
  h0 = 0;
  h1 = 0;
  h2 = 0;
  h3 = 0;
  readonly #secret: HashSecret;
  #low = 0;
  #high = 0;

  constructor(secret: HashSecret) {
    this.#secret = secret;
  }

  /** Puts the hash of `bytes[from, to)` into `h0` to `h3`, unsigned. */
  update(bytes: Uint8Array, from: number, to: number): void {
    const [k0, k1, k2, k3] = this.#secret;
    this.#halfSip(bytes, from, to, k0, k1);
    this.h0 = this.#low;
    this.h1 = this.#high;
    this.#halfSip(bytes, from, to, k2, k3);
    this.h2 = this.#low;
    this.h3 = this.#high;
  }

  /** One long function on purpose: it runs twice for each record. */
  #halfSip(bytes: Uint8Array, from: number, to: number, k0: number, k1: number): void {
    let v0 = k0 | 0;
    let v1 = k1 ^ 0xee;
    let v2 = 0x6c796765 ^ k0;
    let v3 = 0x74656462 ^ k1;
    const words = (to - from) >>> 2;
    // The last word holds the rest and the length; after it come 4 rounds for each half of the output.
    let at = from;
    for (let word = 0; word <= words; word++) {
      let m: number;
      if (word < words) {
        m = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
        at += 4;
      } else {
        m = (to - from) << 24;
        const rest = to - at;
        if (rest > 2) m |= bytes[at + 2]! << 16;
        if (rest > 1) m |= bytes[at + 1]! << 8;
        if (rest > 0) m |= bytes[at]!;
      }
      v3 ^= m;
      for (let round = 0; round < 2; round++) {
        v0 = (v0 + v1) | 0;
        v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
        v0 = (v0 << 16) | (v0 >>> 16);
        v2 = (v2 + v3) | 0;
        v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
        v0 = (v0 + v3) | 0;
        v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
        v2 = (v2 + v1) | 0;
        v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
        v2 = (v2 << 16) | (v2 >>> 16);
      }
      v0 ^= m;
    }
    v2 ^= 0xee;
    for (let half = 0; half < 2; half++) {
      for (let round = 0; round < 4; round++) {
        v0 = (v0 + v1) | 0;
        v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
        v0 = (v0 << 16) | (v0 >>> 16);
        v2 = (v2 + v3) | 0;
        v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
        v0 = (v0 + v3) | 0;
        v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
        v2 = (v2 + v1) | 0;
        v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
        v2 = (v2 << 16) | (v2 >>> 16);
      }
      if (half === 0) {
        this.#low = (v1 ^ v3) >>> 0;
        v1 ^= 0xdd;
      } else {
        this.#high = (v1 ^ v3) >>> 0;
      }
    }
  }
}
