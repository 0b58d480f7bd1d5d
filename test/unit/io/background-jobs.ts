import { getPriority } from 'node:os';
import { type BackgroundJob, StorageError } from '../../../src/base/ports.ts';

/** Adds up numbers, one a step, and tells the sum so far. */
export const summing: BackgroundJob<readonly number[], { readonly sum: number }, number> = {
  name: 'summing',
  *run(numbers) {
    let sum = 0;
    for (const number of numbers) {
      sum += number;
      yield { progress: sum };
    }
    return { sum };
  },
};

/** Copies a file in steps of some bytes; what is half done goes when it is cancelled. */
export const copying: BackgroundJob<{ from: string; to: string; waitMs: number }, number, number> = {
  name: 'copying',
  *run({ from, to, waitMs }, { storage }) {
    const source = storage.open(from, 'read');
    const target = storage.open(to, 'truncate');
    let isDone = false;
    try {
      const buffer = Buffer.alloc(10);
      let at = 0;
      for (let count = source.read(buffer, at); count > 0; count = source.read(buffer, at)) {
        target.write([buffer.subarray(0, count)], at);
        at += count;
        yield { progress: at, waitMs };
      }
      isDone = true;
      return at;
    } finally {
      source.close();
      target.close();
      if (!isDone) storage.removeNow(to);
    }
  },
};

export const failing: BackgroundJob<'storage' | 'bug', never> = {
  name: 'failing',
  // biome-ignore lint/correctness/useYield: it does not get that far.
  *run(how) {
    if (how === 'storage') throw new StorageError('ENOSPC', '/there', 'nothing fits');
    throw new TypeError('a bug');
  },
};

/** What it needs is there only after `prepare`, in the thread that runs it. */
let isPrepared = false;
export const prepared: BackgroundJob<null, boolean> = {
  name: 'prepared',
  async prepare() {
    await Promise.resolve();
    isPrepared = true;
  },
  // biome-ignore lint/correctness/useYield: a job of one step.
  *run() {
    return isPrepared;
  },
};

/** Ends the thread that it runs in. */
export const dying: BackgroundJob<null, null> = {
  name: 'dying',
  *run() {
    yield undefined;
    process.exit(3);
  },
};

/** Tells the priority of the thread that it runs in. */
export const patient: BackgroundJob<null, number> = {
  name: 'patient',
  isPatient: true,
  // biome-ignore lint/correctness/useYield: a job of one step.
  *run() {
    return getPriority(0);
  },
};
