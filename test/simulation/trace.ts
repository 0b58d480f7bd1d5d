/** What is hashed, and printed when somebody listens. The numbers are part of the hash. */
export const Kind = {
  timer: 1,
  turn: 2,
  bytes: 3,
  linkOpened: 4,
  linkClosed: 5,
  taken: 6,
  read: 7,
  write: 8,
  sync: 9,
  truncate: 10,
  open: 11,
  names: 12,
  syncDir: 13,
  crash: 14,
  boot: 15,
  fault: 16,
  listen: 17,
  note: 18,
} as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

const kindNames = new Map<number, string>(Object.entries(Kind).map(([name, kind]) => [kind, name]));

/** A running 64-bit hash over every event at a port, with its virtual time: two runs of a seed must agree on it. */
export class Trace {
  events = 0;
  #a = 0x9747b28c;
  #b = 0x3c6ef372;
  readonly #print: ((line: string) => void) | undefined;
  readonly #nowUs: () => number;

  constructor(nowUs: () => number, print?: (line: string) => void) {
    this.#nowUs = nowUs;
    this.#print = print;
  }

  /** `who` is a host or a path; `count` a size, a position or an id. */
  event(kind: Kind, who: string, count = 0, bytes?: Uint8Array): void {
    this.events++;
    const now = this.#nowUs();
    this.#mix(kind);
    this.#mix(now % 2 ** 32);
    this.#mix(count % 2 ** 32);
    for (let i = 0; i < who.length; i++) this.#mix(who.charCodeAt(i));
    if (bytes !== undefined) this.#mixBytes(bytes);
    if (this.#print !== undefined) {
      const size = bytes === undefined ? '' : ` ${bytes.length} bytes`;
      this.#print(`${(now / 1000).toFixed(3).padStart(12)} ${kindNames.get(kind)} ${who} ${count}${size}`);
    }
  }

  /** Something a test wants to be part of the hash: what a client saw. */
  note(text: string): void {
    this.event(Kind.note, text);
  }

  hash(): string {
    return (
      (this.#a >>> 0).toString(16).padStart(8, '0') +
      (this.#b >>> 0).toString(16).padStart(8, '0') +
      `/${this.events}`
    );
  }

  #mix(word: number): void {
    const k = Math.imul(word, 0xcc9e2d51);
    let a = this.#a ^ Math.imul((k << 15) | (k >>> 17), 0x1b873593);
    a = Math.imul((a << 13) | (a >>> 19), 5) + 0xe6546b64;
    this.#a = a | 0;
    this.#b = Math.imul(this.#b ^ a ^ word, 0x01000193);
  }

  #mixBytes(bytes: Uint8Array): void {
    const whole = bytes.length & ~3;
    let i = 0;
    for (; i < whole; i += 4) {
      this.#mix(
        (bytes[i] as number) |
          ((bytes[i + 1] as number) << 8) |
          ((bytes[i + 2] as number) << 16) |
          ((bytes[i + 3] as number) << 24),
      );
    }
    for (; i < bytes.length; i++) this.#mix(bytes[i] as number);
    this.#mix(bytes.length);
  }
}
