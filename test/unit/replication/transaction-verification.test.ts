import { describe, expect, test } from 'vitest';
import { type ErrorCode, Errors, ProtocolError } from '../../../src/protocol/errors.ts';
import {
  type TransactionClient,
  type TransactionToAsk,
  TransactionVerifier,
  type Verified,
} from '../../../src/replication/transaction-verification.ts';
import { ManualTime } from '../server/fakes.ts';

const SETTINGS = { isEnabled: true, retryBackoffMs: 20, retryMaxMs: 100 };

/** A coordinator that answers what it is told to, and partitions t-0 and t-1 without open transactions. */
function world(answers: ErrorCode[] = [], settings = SETTINGS, known?: (partition: number) => ErrorCode) {
  const time = new ManualTime();
  const asked: TransactionToAsk[] = [];
  const guard = { startedMs: 0 };
  let open = false;
  const partition = {
    startVerification: ({ epoch }: { epoch: number }) => {
      if (epoch < 0) throw new ProtocolError(Errors.INVALID_PRODUCER_EPOCH);
      return open ? undefined : guard;
    },
  };
  const verifier = new TransactionVerifier({
    find: (topic) => {
      if (topic === 't') return partition;
      throw new ProtocolError(Errors.NOT_LEADER_OR_FOLLOWER);
    },
    transactions: {
      addPartitionsToTxn(transaction, done) {
        asked.push(transaction);
        const partitionErrorCode = answers.shift() ?? Errors.NONE;
        done(
          transaction.topics.map(({ name, partitions }) => ({
            name,
            resultsByPartition: partitions.map((partitionIndex) => ({ partitionIndex, partitionErrorCode })),
          })),
        );
      },
      verifyNow: (_producer, _topic, partition) => known?.(partition),
    },
    clock: time,
    timers: time,
    settings: () => settings,
  });
  const verify = (client: TransactionClient, topics = ['t'], producerEpoch = 0) => {
    const seen: { outcomes?: readonly Verified[] } = {};
    const partitions = topics.map((topic, partition) => ({ topic, partition, sequence: 0 }));
    const request = { transactionalId: 'x', producerId: 1n, producerEpoch, client, partitions };
    verifier.verify(request, (outcomes) => {
      seen.outcomes = outcomes;
    });
    return seen;
  };
  const codes = (client: TransactionClient, topics?: string[], epoch?: number) =>
    verify(client, topics, epoch).outcomes?.map((one) => one.errorCode);
  return { time, asked, guard, verify, codes, setOpen: () => (open = true) };
}

describe('what is asked', () => {
  test('of older clients whether the partition is there, of newer ones that it be', () => {
    const w = world();
    expect(w.verify('classic').outcomes).toEqual([{ errorCode: 0, transaction: { guard: w.guard } }]);
    w.verify('v2');
    expect(w.asked.map((one) => one.verifyOnly)).toEqual([true, false]);
    expect(w.asked[0]!.topics).toEqual([{ name: 't', partitions: [0] }]);
  });

  test('nothing where the transaction is open, though the append must still find it so', () => {
    const w = world();
    w.setOpen();
    expect(w.verify('v2').outcomes).toEqual([{ errorCode: 0, transaction: { guard: undefined } }]);
    expect(w.asked).toEqual([]);
  });

  test('nothing of older clients where the setting says so; newer ones depend on it', () => {
    const w = world([], { ...SETTINGS, isEnabled: false });
    expect(w.verify('classic').outcomes).toEqual([{ errorCode: 0, transaction: undefined }]);
    w.verify('v2');
    expect(w.asked.length).toBe(1);
  });

  test('only for the partitions that are here', () => {
    const w = world();
    expect(w.codes('classic', ['t', 'elsewhere', 't'])).toEqual([0, Errors.NOT_LEADER_OR_FOLLOWER, 0]);
    expect(w.asked[0]!.topics).toEqual([{ name: 't', partitions: [0, 2] }]);
    expect(w.codes('classic', ['t'], -1)).toEqual([Errors.INVALID_PRODUCER_EPOCH]);
  });
});

describe('what the coordinator knows without a wait', () => {
  test('is not asked for, and told in the same words', () => {
    const w = world([], SETTINGS, (partition) =>
      partition === 1 ? Errors.TRANSACTION_ABORTABLE : Errors.NONE,
    );
    expect(w.verify('classic', ['t', 't']).outcomes).toEqual([
      { errorCode: Errors.NONE, transaction: { guard: w.guard } },
      { errorCode: Errors.INVALID_TXN_STATE, transaction: undefined },
    ]);
    expect(w.asked).toEqual([]);
  });

  test('is not enough for newer clients, whose partitions are added', () => {
    const w = world([], SETTINGS, () => Errors.NONE);
    w.verify('v2');
    expect(w.asked.map((one) => one.verifyOnly)).toEqual([false]);
  });
});

describe('what a client is told', () => {
  test.each([
    ['classic', Errors.PRODUCER_FENCED, Errors.INVALID_PRODUCER_EPOCH],
    ['classic', Errors.TRANSACTION_ABORTABLE, Errors.INVALID_TXN_STATE],
    ['abortable', Errors.TRANSACTION_ABORTABLE, Errors.TRANSACTION_ABORTABLE],
    ['classic', Errors.CONCURRENT_TRANSACTIONS, Errors.CONCURRENT_TRANSACTIONS],
    ['v2', Errors.INVALID_TXN_STATE, Errors.INVALID_TXN_STATE],
  ] as const)('%s: %i as %i', (client, code, told) => {
    expect(world([code]).codes(client)).toEqual([told]);
  });

  test('that the transaction before ends still, after some tries', () => {
    const busy = Errors.CONCURRENT_TRANSACTIONS;
    const w = world([busy, busy, busy, busy, busy, busy, busy]);
    const seen = w.verify('v2');
    for (let ms = 0; ms < 80; ms += 20) {
      w.time.advance(20);
      expect(seen.outcomes).toBeUndefined();
    }
    w.time.advance(20);
    expect([seen.outcomes?.[0]?.errorCode, w.asked.length]).toEqual([busy, 6]);
  });

  test('nothing of it where it ends meanwhile', () => {
    const w = world([Errors.CONCURRENT_TRANSACTIONS]);
    const seen = w.verify('v2');
    w.time.advance(20);
    expect(seen.outcomes?.[0]?.errorCode).toBe(0);
  });
});
