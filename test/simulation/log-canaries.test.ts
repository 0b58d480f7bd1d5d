import { afterEach, expect, test, vi } from 'vitest';

/** A rule that is broken on purpose must be noticed within so many seeds. */
const SEEDS = 300;

Error.stackTraceLimit = 0;
vi.setConfig({ testTimeout: 120_000 });

const batchFilter = '../../src/log/cleaner/batch-filter.ts';
const groupCommit = '../../src/log/group-commit.ts';
const logCleaner = '../../src/log/cleaner/log-cleaner.ts';
const offsetMap = '../../src/log/cleaner/offset-map.ts';
const producerFiles = '../../src/log/producer-files.ts';
const runChecks = '../../src/log/cleaner/run-checks.ts';

type BatchFilterModule = typeof import('../../src/log/cleaner/batch-filter.ts');
type GroupCommitModule = typeof import('../../src/log/group-commit.ts');
type LogCleanerModule = typeof import('../../src/log/cleaner/log-cleaner.ts');
type OffsetMapModule = typeof import('../../src/log/cleaner/offset-map.ts');
type ProducerFilesModule = typeof import('../../src/log/producer-files.ts');
type RunChecksModule = typeof import('../../src/log/cleaner/run-checks.ts');

/**
 * The first seed that notices, `likely` before all others: few have what it takes. The modules are loaded anew, so that
 * mocks take hold.
 */
async function noticedBy(likely = 1): Promise<number | undefined> {
  vi.resetModules();
  const { simulateLogs } = await import('./log-simulation.ts');
  const others = Array.from({ length: SEEDS }, (_, at) => at + 1);
  for (const seed of [likely, ...others]) {
    try {
      await simulateLogs({ seed });
    } catch (error) {
      expect(String(error)).toContain(`seed ${seed} at`);
      return seed;
    }
  }
  return undefined;
}

afterEach(() => {
  for (const path of [batchFilter, groupCommit, logCleaner, offsetMap, producerFiles, runChecks]) {
    vi.doUnmock(path);
  }
});

/** Runs of the cleaner go on whatever becomes of their log. */
function cleanBlindly(): void {
  vi.doMock(logCleaner, async (original) => {
    const real = await original<LogCleanerModule>();
    class Blind extends real.LogCleaner {
      override abort(): void {}
    }
    return { ...real, LogCleaner: Blind };
  });
}

/** What a job has made goes in the place of whatever lies there now. */
function swapUnchecked(): void {
  vi.doMock(runChecks, async (original) => {
    const real = await original<RunChecksModule>();
    const segmentsToReplace: RunChecksModule['segmentsToReplace'] = ({ log: found }, { replaced }) =>
      found.closedSegments.filter(
        ({ baseOffset }) => baseOffset >= replaced[0]! && baseOffset <= replaced.at(-1)!,
      );
    return { ...real, whyOver: () => undefined, segmentsToReplace };
  });
}

test('jobs of the cleaner go on when their log is cut or deleted', async () => {
  cleanBlindly();
  vi.doMock(runChecks, async (original) => {
    const real = await original<RunChecksModule>();
    return { ...real, whyOver: () => undefined };
  });
  expect(await noticedBy(178)).toBeDefined();
});

test('a log is deleted while it is cleaned, and nobody minds', async () => {
  vi.doMock(logCleaner, async (original) => {
    const real = await original<LogCleanerModule>();
    class BlindToDeletions extends real.LogCleaner {
      override forget(): void {}
    }
    return { ...real, LogCleaner: BlindToDeletions };
  });
  vi.doMock(runChecks, async (original) => {
    const real = await original<RunChecksModule>();
    // That the log is closed guards against the same.
    const whyOver: RunChecksModule['whyOver'] = (run) => (run.log.isClosed ? undefined : real.whyOver(run));
    return { ...real, whyOver };
  });
  expect(await noticedBy(178)).toBeDefined();
});

test('a stop does not wait for the jobs of the cleaner', async () => {
  vi.doMock(logCleaner, async (original) => {
    const real = await original<LogCleanerModule>();
    class Unstoppable extends real.LogCleaner {
      override async stop(): Promise<void> {}
    }
    return { ...real, LogCleaner: Unstoppable };
  });
  expect(await noticedBy(7)).toBeDefined();
});

test('segments are swapped in without looking again at epoch, log start and size', async () => {
  cleanBlindly();
  swapUnchecked();
  expect(await noticedBy(178)).toBeDefined();
});

test('a tombstone goes before its delete horizon', async () => {
  vi.doMock(batchFilter, async (original) => {
    const real = await original<BatchFilterModule>();
    class Hasty extends real.BatchFilter {
      constructor(
        ...[map, transactions, options, scratch]: ConstructorParameters<BatchFilterModule['BatchFilter']>
      ) {
        super(map, transactions, { ...options, deleteRetentionMs: 0 }, scratch);
      }
    }
    return { ...real, BatchFilter: Hasty };
  });
  expect(await noticedBy(127)).toBeDefined();
});

test('the last value of a key goes', async () => {
  vi.doMock(offsetMap, async (original) => {
    const real = await original<OffsetMapModule>();
    class OffByOne extends real.OffsetMap {
      override get(...key: Parameters<InstanceType<OffsetMapModule['OffsetMap']>['get']>): number {
        const offset = super.get(...key);
        // Where it is odd, so that most stays.
        return offset % 32 === 31 ? offset + 1 : offset;
      }
    }
    return { ...real, OffsetMap: OffByOne };
  });
  expect(await noticedBy()).toBeDefined();
});

test('a rewritten batch gets other offsets', async () => {
  vi.doMock(batchFilter, async (original) => {
    const real = await original<BatchFilterModule>();
    const header = await import('../../src/protocol/record-batch/header.ts');
    class Dense extends real.BatchFilter {
      override filter(bytes: Buffer, at: number): Uint8Array | undefined {
        const kept = super.filter(bytes, at);
        const isRewritten = kept !== undefined && kept.buffer !== bytes.buffer;
        if (isRewritten) header.setBaseOffset(kept, 0, header.baseOffset(kept, 0) + 1);
        return kept;
      }
    }
    return { ...real, BatchFilter: Dense };
  });
  expect(await noticedBy()).toBeDefined();
});

test('the recovery point runs ahead of what is synced', async () => {
  vi.doMock(groupCommit, async (original) => {
    const real = await original<GroupCommitModule>();
    class Ahead extends real.GroupCommit {
      readonly #currentEnd: () => number;

      constructor(...[input]: ConstructorParameters<GroupCommitModule['GroupCommit']>) {
        super(input);
        this.#currentEnd = input.currentEnd;
      }

      override get syncedEnd(): number {
        return this.#currentEnd();
      }
    }
    return { ...real, GroupCommit: Ahead };
  });
  expect(await noticedBy()).toBeDefined();
});

test('a cut does not take the producers back', async () => {
  vi.doMock(producerFiles, async (original) => {
    const real = await original<ProducerFilesModule>();
    class Forward extends real.ProducerFiles {
      override reload(): void {}
    }
    return { ...real, ProducerFiles: Forward };
  });
  expect(await noticedBy()).toBeDefined();
});
