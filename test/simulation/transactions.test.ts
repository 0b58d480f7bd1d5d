import { afterEach, describe, expect, test, vi } from 'vitest';
import type { CoordinatorResult, Done } from '../../src/coordinator/runtime/result.ts';
import type { CoordinatorShard } from '../../src/coordinator/runtime/shard.ts';
import type { TransactionalWrite } from '../../src/coordinator/runtime/transactions.ts';
import { simulateTransactions, type TxnSimulationOptions } from './txn-simulation.ts';

type Subject = Pick<TxnSimulationOptions, 'protocol' | 'clients'>;

/** The first one runs twice: a seed is the same run every time. `npm run simulate -- transactions` takes longer. */
const SEEDS = Number(process.env['SIMULATION_SEEDS'] ?? 2);
const FAULTY_MS = 5000;
/** A fault that is put in on purpose must be noticed within so many seeds, from the first one on that has noticed it. */
const CANARY_SEEDS = 40;

/** What is broken on purpose. */
const canary = vi.hoisted(() => ({
  leavesMarkersOut: false,
  asksForNoPartition: false,
  letsAnybodyEnd: false,
  forgetsPrepared: false,
  completesTooSoon: false,
  showsOpenTransactions: false,
  commitsOffsetsAtOnce: false,
  forgetsBatches: false,
  letsAnybodyCommit: false,
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

vi.mock('../../src/coordinator/transaction/marker-queue.ts', async (original) => {
  const real = await original<typeof import('../../src/coordinator/transaction/marker-queue.ts')>();
  class Hasty extends real.MarkerQueue {
    readonly #onWritten: ConstructorParameters<typeof real.MarkerQueue>[0]['onWritten'];

    constructor(...[options]: ConstructorParameters<typeof real.MarkerQueue>) {
      super(options);
      this.#onWritten = options.onWritten;
    }

    override send(...[transactionalId, prepared]: Parameters<InstanceType<typeof real.MarkerQueue>['send']>) {
      if (canary.completesTooSoon) this.#onWritten(transactionalId, prepared);
      super.send(transactionalId, prepared);
    }
  }
  return { ...real, MarkerQueue: Hasty };
});

vi.mock('../../src/log/producer-state.ts', async (original) => {
  const real = await original<typeof import('../../src/log/producer-state.ts')>();
  class Careless extends real.ProducerState {
    override get firstUnstableOffset(): number | undefined {
      return canary.showsOpenTransactions ? undefined : super.firstUnstableOffset;
    }

    override restoreDump(dump: Parameters<InstanceType<typeof real.ProducerState>['restoreDump']>[0]): void {
      const entries = dump.entries.map((one) => ({ ...one, batches: [] }));
      super.restoreDump(canary.forgetsBatches ? { ...dump, entries } : dump);
    }
  }
  return { ...real, ProducerState: Careless };
});

vi.mock('../../src/coordinator/runtime/shard-host.ts', async (original) => {
  const real = await original<typeof import('../../src/coordinator/runtime/shard-host.ts')>();
  class Hurried<S extends CoordinatorShard<R>, R> extends real.ShardHost<S, R> {
    override runTransactional<T>(
      name: string,
      write: TransactionalWrite,
      handler: (shard: S) => CoordinatorResult<T, R>,
      done: Done<T>,
    ): void {
      if (canary.commitsOffsetsAtOnce) this.run(name, handler, done);
      else super.runTransactional(name, write, handler, done);
    }
  }
  return { ...real, ShardHost: Hurried };
});

vi.mock('../../src/coordinator/group/transactional-offsets.ts', async (original) => {
  const real = await original<typeof import('../../src/coordinator/group/transactional-offsets.ts')>();
  const checkTransactionalCommit: typeof real.checkTransactionalCommit = (...given) =>
    canary.letsAnybodyCommit ? undefined : real.checkTransactionalCommit(...given);
  return { ...real, checkTransactionalCommit };
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

  test.each<[string, keyof typeof canary, Subject?, RegExp?, number?]>([
    ['a marker is left out', 'leavesMarkersOut'],
    ['partitions are not asked for', 'asksForNoPartition'],
    [
      'a producer that has been superseded may end a transaction',
      'letsAnybodyEnd',
      { protocol: 'v1', clients: 'alone' },
      /seed/,
      3,
    ],
    ['what was decided before a crash is forgotten', 'forgetsPrepared', {}, /seed/, 12],
    ['a transaction is complete before its markers are written', 'completesTooSoon', {}, /seed/, 12],
    ['open transactions do not hold back readers', 'showsOpenTransactions', {}, /is read at|G1a/, 7],
    ['transactions read each other before they are committed', 'showsOpenTransactions', {}, /G1c/],
    ['offsets take effect before their transaction', 'commitsOffsetsAtOnce'],
    ['members commit offsets of what others have', 'letsAnybodyCommit', { clients: 'members' }, /work-\d/, 3],
    [
      'a log that is loaded again has forgotten the last batches of producers',
      'forgetsBatches',
      {},
      /seed/,
      2,
    ],
  ])(
    '%s',
    async (_what, name, subject = {}, how = /seed/, first = 1) => {
      canary[name] = true;
      const options = { faultyMs: FAULTY_MS, ...subject };
      let noticed = 'nothing';
      for (let seed = first; seed < first + CANARY_SEEDS && !how.test(noticed); seed++) {
        console.log('TRY', name, seed);
        noticed = await simulateTransactions({ seed, ...options }).then(() => 'nothing', String);
      }
      expect(noticed).toMatch(how);
      expect(noticed).toMatch(/seed \d+ at/);
    },
    120_000,
  );
});
