import type { Random } from '../../src/base/ports.ts';

/** xoshiro128**, seeded through splitmix: the same numbers from the same seed on every machine. */
export class SeededRandom implements Random {
  readonly #state = new Uint32Array(4);

  constructor(seed: number) {
    let mixed = seed >>> 0;
    const high = Math.floor(seed / 2 ** 32) >>> 0;
    for (let i = 0; i < 4; i++) {
      mixed = (mixed + 0x9e3779b9 + (i === 1 ? high : 0)) >>> 0;
      let z = mixed;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      this.#state[i] = z ^ (z >>> 15);
    }
  }

  /** 32 random bits. */
  word(): number {
    const s = this.#state;
    const s1 = s[1] as number;
    const times5 = Math.imul(s1, 5);
    const result = Math.imul((times5 << 7) | (times5 >>> 25), 9) >>> 0;
    const shifted = s1 << 9;
    s[2] = (s[2] as number) ^ (s[0] as number);
    s[3] = (s[3] as number) ^ s1;
    s[1] = s1 ^ (s[2] as number);
    s[0] = (s[0] as number) ^ (s[3] as number);
    s[2] = (s[2] as number) ^ shifted;
    const s3 = s[3] as number;
    s[3] = (s3 << 11) | (s3 >>> 21);
    return result;
  }

  below(bound: number): number {
    if (!(Number.isSafeInteger(bound) && bound > 0)) throw new RangeError(`no integer is below ${bound}`);
    if (bound <= 2 ** 32) return Math.floor((this.word() / 2 ** 32) * bound);
    return ((this.word() >>> 11) * 2 ** 32 + this.word()) % bound;
  }

  fill(into: Uint8Array): void {
    for (let i = 0; i < into.length; i++) into[i] = this.word() >>> 24;
  }

  /** An integer from `least` to `most`, both included. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return probability > 0 && this.word() < probability * 2 ** 32;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }

  /** One of the choices, each as likely as its weight says. */
  weighted<T>(choices: readonly (readonly [weight: number, choice: T])[]): T {
    let left = this.below(choices.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, choice] of choices) {
      if (left < weight) return choice;
      left -= weight;
    }
    throw new RangeError('no choice has a weight');
  }

  /** A generator of its own, so that what draws from it does not shift the numbers of others. */
  fork(): SeededRandom {
    return new SeededRandom(this.word() * 2 ** 20 + (this.word() >>> 12));
  }
}
