import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Protocol } from './txn-client.ts';
import { simulateTransactions } from './txn-simulation.ts';

/** The first one runs twice: a seed is the same run every time. `npm run simulate -- transactions` takes longer. */
const SEEDS = Number(process.env['SIMULATION_SEEDS'] ?? 2);
const FAULTY_MS = 5000;
/** A fault that is put in on purpose must be noticed within so many seeds. */
const CANARY_SEEDS = 40;

/** What is broken on purpose. */
const canary = vi.hoisted(() => ({
  leavesMarkersOut: false,
  asksForNoPartition: false,
  letsAnybodyEnd: false,
  forgetsPrepared: false,
}));

vi.mock('../../src/server/txn-markers.ts', async (original) => {
  const real = await original<typeof import('../../src/server/txn-markers.ts')>();
  let calls = 0;
  class Forgetful extends real.TxnMarkerWriter {
    override write(...[markers, done]: Parameters<InstanceType<typeof real.TxnMarkerWriter>['write']>): void {
      calls += 1;
      if (!canary.leavesMarkersOut || calls % 20 !== 0) {
        super.write(markers, done);
        return;
      }
      const answer = markers.map(({ producerId, topics }) => ({
        producerId,
        topics: topics.map(({ name, partitionIndexes }) => ({
          name,
          partitions: partitionIndexes.map((partitionIndex) => ({ partitionIndex, errorCode: 0 })),
        })),
      }));
      super.write([], () => done(answer));
    }
  }
  return { ...real, TxnMarkerWriter: Forgetful };
});

vi.mock('../../src/replication/transaction-verification.ts', async (original) => {
  const real = await original<typeof import('../../src/replication/transaction-verification.ts')>();
  class Trusting extends real.TransactionVerifier {
    override verify(
      ...[request, done]: Parameters<InstanceType<typeof real.TransactionVerifier>['verify']>
    ): void {
      const trusted = { errorCode: 0 as const, transaction: undefined };
      if (canary.asksForNoPartition) done(request.partitions.map(() => trusted));
      else super.verify(request, done);
    }
  }
  return { ...real, TransactionVerifier: Trusting };
});

vi.mock('../../src/coordinator/transaction/end-transaction.ts', async (original) => {
  const real = await original<typeof import('../../src/coordinator/transaction/end-transaction.ts')>();
  const decideEnd: typeof real.decideEnd = (before, request, ...more) => {
    const { producerId, producerEpoch } = canary.letsAnybodyEnd ? before : request;
    return real.decideEnd(before, { ...request, producerId, producerEpoch }, ...more);
  };
  return { ...real, decideEnd };
});

vi.mock('../../src/coordinator/transaction/transaction-shard.ts', async (original) => {
  const real = await original<typeof import('../../src/coordinator/transaction/transaction-shard.ts')>();
  class Oblivious extends real.TransactionShard {
    #isLoaded = false;

    override replay(record: Parameters<InstanceType<typeof real.TransactionShard>['replay']>[0]): void {
      const isPrepared = record.metadata?.state.startsWith('Prepare') === true;
      const isForgotten = canary.forgetsPrepared && !this.#isLoaded && isPrepared;
      super.replay(isForgotten ? { ...record, metadata: null } : record);
    }

    override onLoaded(): void {
      this.#isLoaded = true;
      super.onLoaded();
    }
  }
  return { ...real, TransactionShard: Oblivious };
});

test(`transactions are whole, once and in order through crashes and zombies, in ${SEEDS} seeds`, async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const first = await simulateTransactions({ seed, faultyMs: FAULTY_MS });
    expect(first.counts['committed']).toBeGreaterThan(0);
    if (seed === 1) expect(await simulateTransactions({ seed, faultyMs: FAULTY_MS })).toEqual(first);
  }
}, 300_000);

describe('it is noticed that', () => {
  afterEach(() => {
    for (const name of Object.keys(canary) as (keyof typeof canary)[]) canary[name] = false;
  });

  test.each<[string, keyof typeof canary, Protocol | undefined]>([
    ['a marker is left out', 'leavesMarkersOut', undefined],
    ['partitions are not asked for', 'asksForNoPartition', undefined],
    ['a producer that has been superseded may end a transaction', 'letsAnybodyEnd', 'v1'],
    ['what was decided before a crash is forgotten', 'forgetsPrepared', undefined],
  ])(
    '%s',
    async (_what, name, protocol) => {
      canary[name] = true;
      const options = { faultyMs: FAULTY_MS, ...(protocol === undefined ? {} : { protocol }) };
      let noticed: unknown;
      for (let seed = 1; seed <= CANARY_SEEDS && noticed === undefined; seed++) {
        noticed = await simulateTransactions({ seed, ...options }).then(
          () => undefined,
          (error: unknown) => error,
        );
      }
      expect(String(noticed)).toMatch(/seed \d+ at/);
    },
    120_000,
  );
});
