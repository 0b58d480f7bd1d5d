import { describe, expect, test } from 'vitest';
import { componentsOf, cycleOf } from '../../simulation/cycles.ts';
import { checkHistory, type TxnEvents, type TxnHistory } from '../../simulation/txn-history.ts';

/** Values are `writer/n`. */
const writerOf = (value: string): number => Number(value.split('/')[0]);
const log = (...values: (string | undefined)[]) =>
  values.flatMap((value, offset) => (value === undefined ? [] : [{ offset, value }]));
const send = (partition: number, offset: number, ...values: string[]) => ({ partition, offset, values });
const poll = (partition: number, from: number, to: number, ...records: [number, string][]) => ({
  partition,
  from,
  to,
  records: records.map(([offset, value]) => ({ offset, value })),
});
const txn = (id: number, events: Partial<TxnEvents> = {}): TxnEvents => ({
  id,
  polls: [],
  sends: [],
  follows: [],
  ...events,
});
const check = (history: Partial<TxnHistory>) => () =>
  checkHistory({ committed: [], others: [], partitions: [], writerOf, ...history });

describe('a history of transactions', () => {
  test('is fine where each reads what was committed before, and writes of open ones alternate', () => {
    // 1 and 2 write at the same time, in one order here and in the other there; 3 reads both.
    const partitions = [log('1/a', '2/a', undefined, undefined, '3/a'), log('2/b', '1/b')];
    const committed = [
      txn(1, { sends: [send(0, 0, '1/a'), send(1, 1, '1/b')] }),
      txn(2, { sends: [send(1, 0, '2/b'), send(0, 1, '2/a')] }),
      txn(3, { polls: [poll(0, 0, 4, [0, '1/a'], [1, '2/a'])], sends: [send(0, 4, '3/a')], follows: [1] }),
    ];
    expect(check({ committed, partitions })).not.toThrow();
  });

  test.each<[string, Partial<TxnHistory>, RegExp]>([
    ['a value is there twice', { partitions: [log('1/a'), log('1/a')] }, /duplicate: 1\/a/],
    [
      'a write is lost behind an answer that names its offset',
      { committed: [txn(1, { sends: [send(0, 1, '1/a')] })], partitions: [log('2/a')] },
      /lost write: 1 /,
    ],
    [
      'an answer named the offset of somebody else',
      { committed: [txn(1, { sends: [send(0, 0, '1/a')] })], partitions: [log('2/a')] },
      /inconsistent offsets/,
    ],
    [
      'a reader saw another value than the next one',
      { others: [txn(1, { polls: [poll(0, 0, 1, [0, '3/a'])] })], partitions: [log('2/a')] },
      /inconsistent offsets: 1 read/,
    ],
    [
      'what was aborted was read',
      { committed: [txn(1, { polls: [poll(0, 0, 1, [0, '2/a'])] })], partitions: [log()] },
      /G1a: 1 read 2\/a/,
    ],
    [
      'a part of a transaction was read',
      { others: [txn(1, { polls: [poll(0, 0, 2, [0, '2/a'])] })], partitions: [log('2/a', '2/b')] },
      /G1b: 1 read 0 from 0 to 2 without 2\/b/,
    ],
    [
      'a poll leaves something out',
      { others: [txn(1, { polls: [poll(0, 0, 1), poll(0, 2, 3)] })], partitions: [log()] },
      /poll skip/,
    ],
    [
      'a poll goes back',
      {
        others: [txn(1, { polls: [poll(0, 0, 2, [1, '2/b'], [0, '2/a'])] })],
        partitions: [log('2/a', '2/b')],
      },
      /nonmonotonic poll/,
    ],
    [
      'a send goes back',
      { others: [txn(1, { sends: [send(0, 5, '1/a'), send(0, 3, '1/b')] })], partitions: [log()] },
      /nonmonotonic send/,
    ],
    [
      'a transaction reads its own open records',
      { committed: [txn(1, { polls: [poll(0, 0, 1, [0, '1/a'])] })], partitions: [log('1/a')] },
      /internal: 1 reads 1\/a/,
    ],
    [
      'two transactions read each other (G1c)',
      {
        committed: [
          txn(1, { polls: [poll(1, 0, 1, [0, '2/a'])], sends: [send(0, 0, '1/a')] }),
          txn(2, { polls: [poll(0, 0, 1, [0, '1/a'])], sends: [send(1, 0, '2/a')] }),
        ],
        partitions: [log('1/a'), log('2/a')],
      },
      /G1c: .*1 commits.*-wr->/,
    ],
    [
      'a transaction reads what was written behind its own records (G1c)',
      {
        committed: [
          txn(1, { polls: [poll(0, 0, 2, [1, '2/a'])], sends: [send(1, 0, '1/a')] }),
          txn(2, { sends: [send(1, 1, '2/b'), send(0, 1, '2/a')] }),
        ],
        partitions: [log(undefined, '2/a'), log('1/a', '2/b')],
      },
      /G1c: .*-ww->/,
    ],
    [
      "two transactions follow each other by their group's offsets (G1c)",
      { committed: [txn(1, { follows: [2] }), txn(2, { follows: [1] })] },
      /G1c: /,
    ],
    [
      'writes of one transaction, one after the other, lie in two orders (G0)',
      {
        committed: [
          txn(1, { sends: [send(0, -1, '1/a'), send(1, -1, '1/b')] }),
          txn(2, { sends: [send(1, -1, '2/b'), send(0, -1, '2/a')] }),
        ],
        partitions: [log('2/a', '1/a'), log('1/b', '2/b')],
      },
      /G0: /,
    ],
  ])('is refused where %s', (_what, history, anomaly) => {
    expect(check(history)).toThrow(anomaly);
  });
});

describe('cycles of a graph', () => {
  const graphOf = (...all: number[][]) => all.map((targets) => targets.map((to) => ({ to, kind: 'to' })));

  test('are found in components, the shortest way round', () => {
    const graph = graphOf([1], [2, 3], [0], [4], [5], [3, 4]);
    expect(componentsOf(graph).map((one) => one.sort())).toEqual([
      [3, 4, 5],
      [0, 1, 2],
    ]);
    const cycle = cycleOf(graph)?.map(({ from }) => from);
    expect([
      [3, 4, 5],
      [4, 5],
      [5, 4],
    ]).toContainEqual(cycle);
    expect(cycleOf(graphOf([1], [2], []))).toBeUndefined();
    expect(cycleOf(graphOf([0]))).toEqual([{ from: 0, kind: 'to' }]);
  });

  test('are searched without recursion', () => {
    const chain = Array.from({ length: 20_000 }, (_, at) => [at + 1]);
    expect(cycleOf(graphOf(...chain, []))).toBeUndefined();
    expect(cycleOf(graphOf(...chain, [0]))).toHaveLength(20_001);
  });
});
