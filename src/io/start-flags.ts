import { setFlagsFromString } from 'node:v8';

export interface StartFlag {
  readonly name: string;
  readonly whileStarting: number;
  /** V8's own default, which it does not tell. */
  readonly afterwards: number;
}

// A start runs much code a few times and keeps most of what it makes. V8 would compile that code for hours of use, on
// threads that take the processors from the start, and would widen its young generation to 32 MiB, which it only gives back
// after half a minute.
const youngStays: StartFlag = { name: 'semi-space-growth-factor', whileStarting: 1, afterwards: 2 };
/** Bytes of bytecode that a function runs before it is looked at. V8 12 counts its calls instead. */
const compileLater: StartFlag = { name: 'interrupt-budget', whileStarting: 1_000_000, afterwards: 67_584 };

/** By the major version of V8, those of Node 20 and 22: on a flag that it does not know V8 writes to the standard error. */
const flagsByVersion: Readonly<Record<string, readonly StartFlag[]>> = {
  '11': [youngStays, compileLater],
  '12': [youngStays],
};

export const startFlagsOf = (version: string): readonly StartFlag[] =>
  flagsByVersion[version.split('.', 1)[0] ?? ''] ?? [];

/** The flags of V8 while a broker starts. They are the whole process's, which must be a broker and nothing else. */
export class StartFlags {
  readonly #flags: readonly StartFlag[];
  readonly #set: (flag: string) => void;
  #isStarting = false;
  #threads = 0;

  constructor(v8 = { version: process.versions.v8, set: setFlagsFromString }) {
    this.#flags = startFlagsOf(v8.version);
    this.#set = v8.set;
  }

  async during<T>(start: () => Promise<T>): Promise<T> {
    this.#isStarting = true;
    this.#apply();
    try {
      return await start();
    } finally {
      this.#isStarting = false;
      this.#apply();
    }
  }

  /**
   * A thread is about to start. V8's own flags hold until `threadRuns`: Node's modules are kept compiled for these, and a
   * thread that finds others compiles all of them anew, which doubles what it costs.
   */
  threadStarts(): void {
    this.#threads += 1;
    this.#apply();
  }

  /** It runs, or could not be started. */
  threadRuns(): void {
    this.#threads -= 1;
    this.#apply();
  }

  #apply(): void {
    const isOn = this.#isStarting && this.#threads === 0;
    for (const { name, whileStarting, afterwards } of this.#flags) {
      this.#set(`--${name}=${isOn ? whileStarting : afterwards}`);
    }
  }
}
