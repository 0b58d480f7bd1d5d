import { afterEach, expect, test, vi } from 'vitest';
import type { Canary } from './node-simulation.ts';

/** A fault that is put in on purpose must be noticed within so many seeds. */
const SEEDS = 200;

Error.stackTraceLimit = 0;
vi.setConfig({ testTimeout: 120_000 });

const batchHeader = '../../src/protocol/record-batch/header.ts';
const batchScanner = '../../src/log/batch-scanner.ts';
const producerUpdates = '../../src/log/producer-updates.ts';
const frozenImage = '../../src/metadata/frozen-image.ts';

/** The first seed that notices; the modules are loaded anew, so that mocks take hold. */
async function noticedBy(canary: Canary = {}): Promise<number | undefined> {
  vi.resetModules();
  const { simulateNode } = await import('./node-simulation.ts');
  for (let seed = 1; seed <= SEEDS; seed++) {
    try {
      await simulateNode({ seed, canary });
    } catch (error) {
      expect(String(error)).toContain(`seed ${seed} at`);
      return seed;
    }
  }
  return undefined;
}

afterEach(() => {
  vi.doUnmock(batchHeader);
  vi.doUnmock(batchScanner);
  vi.doUnmock(producerUpdates);
  vi.doUnmock(frozenImage);
});

test('fdatasync is skipped', async () => {
  expect(await noticedBy({ ignoresSync: true })).toBeDefined();
});

test('requests are answered before the flush', async () => {
  expect(await noticedBy({ answersSyncEarly: true })).toBeDefined();
});

test('buffers are given back before their bytes were taken', async () => {
  expect(await noticedBy({ sentEarly: true })).toBeDefined();
});

test('frames are overwritten while they are in use', async () => {
  expect(await noticedBy({ overwritesFrames: true })).toBeDefined();
});

test('a torn tail is kept', async () => {
  vi.doMock(batchScanner, async (original) => {
    const real = await original<typeof import('../../src/log/batch-scanner.ts')>();
    class Trusting extends real.BatchScanner {
      constructor(...[file, position, end, options]: ConstructorParameters<typeof real.BatchScanner>) {
        super(file, position, end, { ...options, verify: false });
      }
    }
    return { ...real, BatchScanner: Trusting };
  });
  expect(await noticedBy()).toBeDefined();
});

test('CRCs are not checked', async () => {
  vi.doMock(batchHeader, async (original) => {
    const real = await original<typeof import('../../src/protocol/record-batch/header.ts')>();
    return { ...real, crcIsValid: () => true };
  });
  expect(await noticedBy()).toBeDefined();
});

test('sequence numbers are not checked', async () => {
  vi.doMock(producerUpdates, async (original) => {
    const real = await original<typeof import('../../src/log/producer-updates.ts')>();
    return { ...real, checkProducer: () => undefined };
  });
  expect(await noticedBy()).toBeDefined();
});

test('a metadata snapshot leaves the settings of topics out', async () => {
  vi.doMock(frozenImage, async (original) => {
    const real = await original<typeof import('../../src/metadata/frozen-image.ts')>();
    class Forgetful extends real.FrozenImage {
      override *records() {
        for (const one of super.records()) if (one.type !== 'ConfigRecord') yield one;
      }
    }
    return { ...real, FrozenImage: Forgetful };
  });
  expect(await noticedBy()).toBeDefined();
});
