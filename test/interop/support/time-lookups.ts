import { batch, type RecordSpec, record, store } from './batch.ts';
import {
  deleteRecords,
  listOffsetsAt,
  listOffsetsAtAnswer,
  listOffsetsV0,
  listOffsetsV0Answer,
  orNow,
} from './old-wire.ts';
import { makeTopics, type NewTopic, produce, produceAnswer, RawConnection } from './wire.ts';

/** Which offsets ListOffsets gives for times, in every situation that a log can be in. */

interface LookupTopic {
  readonly config?: Readonly<Record<string, string>>;
  readonly batches: readonly Buffer[];
  /** Records before it are deleted once all is written. */
  readonly deleteBefore?: number;
  readonly times: readonly (number | bigint)[];
}

/** Timestamps of the records; the batch's maximum is that of its records. */
function timed(times: readonly number[], valueBytes = 1, codec: 'none' | 'gzip' = 'none'): Buffer {
  const base = times[0]!;
  const rows: RecordSpec[] = times.map((time) => ({
    key: 'k',
    value: Buffer.alloc(valueBytes, 97),
    timestampDelta: time - base,
  }));
  const spec = { baseTimestamp: base, maxTimestamp: Math.max(...times), count: times.length };
  const payload = Buffer.concat(rows.map((row, i) => record(row, i)));
  return batch({ ...spec, attributes: codec === 'gzip' ? 1 : 0, records: store(codec, payload) });
}

const LARGEST = 2n ** 63n - 1n;
const SEGMENTS = { 'segment.bytes': '1048576' };
/** Two of it do not fit into a segment. */
const MOST = 600_000;
/** Three of it do. */
const THIRD = 300_000;
const around = (...times: number[]): number[] => times.flatMap((time) => [time - 1, time, time + 1]);

export const LOOKUP_TOPICS: Readonly<Record<string, LookupTopic>> = {
  'l-empty': { batches: [], times: [0, 1000] },
  'l-rising': {
    batches: [timed([1000, 2000, 3000]), timed([4000]), timed([5000, 5000])],
    times: around(1000, 2000, 3000, 4000, 5000),
  },
  'l-disorder': {
    batches: [timed([5000, 1000, 3000]), timed([2000]), timed([6000, 100]), timed([5500])],
    times: around(100, 1000, 3000, 5000, 5500, 6000),
  },
  'l-equal': { batches: [timed([1000]), timed([1000, 1000]), timed([1000])], times: around(1000) },
  'l-none': { batches: [timed([-1]), timed([-1, -1])], times: [0, 1] },
  'l-some': {
    batches: [timed([-1]), timed([1000, -1]), timed([-1, 3000]), timed([-1])],
    times: around(1000, 3000),
  },
  'l-negative': { batches: [timed([-5000, -4000])], times: [0, 1] },
  'l-negative-and-others': { batches: [timed([-5000, 10]), timed([-3, -9])], times: around(1, 10) },
  'l-zero': { batches: [timed([0]), timed([1])], times: [0, 1, 2] },
  'l-wide': {
    config: { 'message.timestamp.after.max.ms': `${LARGEST}` },
    batches: [timed([1000]), batch({ baseTimestamp: 1_700_000_000_123_456_789n })],
    times: [1001, 1_700_000_000_123_456_788n, 1_700_000_000_123_456_789n, 1_700_000_000_123_456_790n],
  },
  'l-append-time': {
    config: { 'message.timestamp.type': 'LogAppendTime' },
    batches: [timed([1000, 2000])],
    times: [0, 1000, 5000, 9_000_000_000_000],
  },
  'l-gzip': {
    batches: [timed([1000, 2000, 1500], 1, 'gzip'), timed([2500, 2400], 1, 'gzip')],
    times: around(1000, 1500, 2000, 2400, 2500),
  },
  'l-small-index': {
    config: { 'index.interval.bytes': '0' },
    batches: Array.from({ length: 30 }, (_, i) => timed([((i * 7) % 30) * 100, 50])),
    times: around(50, 100, 700, 1400, 2100, 2800, 2900),
  },
  'l-segments': {
    config: SEGMENTS,
    batches: [timed([1000], MOST), timed([2000, 3000], THIRD), timed([4000], MOST), timed([5000])],
    times: around(1000, 2000, 3000, 4000, 5000),
  },
  'l-segments-disorder': {
    config: SEGMENTS,
    batches: [5000, 1000, 7000, 6000, 6500].map((time) => timed([time], MOST)),
    times: around(1000, 5000, 6000, 6500, 7000),
  },
  'l-segments-none': {
    config: SEGMENTS,
    batches: [timed([-1], MOST), timed([1000], MOST), timed([2000])],
    times: around(1000, 2000),
  },
  'l-deleted': {
    batches: [timed([1000, 2000, 3000]), timed([4000])],
    deleteBefore: 2,
    times: around(1000, 2000, 3000, 4000),
  },
  'l-deleted-in-order': {
    config: SEGMENTS,
    batches: [timed([1000], MOST), timed([2000], MOST), timed([3000], MOST)],
    deleteBefore: 1,
    // Below that Apache Kafka finds nothing until retention has taken the first segment, and the second record then.
    times: around(2000, 3000),
  },
  'l-deleted-newest': {
    config: SEGMENTS,
    batches: [timed([9000], THIRD), timed([100], THIRD), timed([9500], MOST), timed([50])],
    deleteBefore: 1,
    times: around(50, 100, 9000, 9500),
  },
  'l-deleted-all': { batches: [timed([1000]), timed([2000])], deleteBefore: 2, times: around(1000, 2000) },
};

const SPECIAL = [-1, -2, -3, -4, -5, -6, -7, -1000];
const VERSIONS = [1, 4, 7] as const;

/** Answers as lines: what was asked, then error, offset, time and leader epoch, or the offsets of version 0. */
export async function runLookups(port: number): Promise<Record<string, readonly string[]>> {
  const topics = Object.entries(LOOKUP_TOPICS).map(
    ([name, { config = {} }]): NewTopic => ({ name, configs: config }),
  );
  await makeTopics(port, topics);
  const connection = await RawConnection.open(port);
  const seen: Record<string, readonly string[]> = {};
  for (const [topic, { batches, deleteBefore, times }] of Object.entries(LOOKUP_TOPICS)) {
    for (const records of batches) {
      const [answer] = produceAnswer(7, await connection.ask(produce(7, [{ topic, records }])));
      if (answer?.errorCode !== 0) throw new Error(`${topic}: error ${answer?.errorCode}`);
    }
    if (deleteBefore !== undefined) await connection.ask(deleteRecords(topic, deleteBefore));
    const lines: string[] = [];
    for (const time of [...SPECIAL, ...times]) {
      for (const version of VERSIONS) lines.push(await lookUp(connection, version, topic, time));
    }
    for (const time of [...SPECIAL.slice(0, 3), 0, LARGEST]) {
      for (const count of [0, 1, 2, 10]) {
        const reader = await connection.ask(listOffsetsV0(topic, time, count));
        const { errorCode, offsets } = listOffsetsV0Answer(reader)!;
        lines.push(`v0 ${count} at ${time}: ${errorCode} [${offsets.join(' ')}]`);
      }
    }
    seen[topic] = lines;
  }
  connection.close();
  return seen;
}

async function lookUp(
  connection: RawConnection,
  version: (typeof VERSIONS)[number],
  topic: string,
  time: number | bigint,
): Promise<string> {
  const reader = await connection.ask(listOffsetsAt(version, topic, time));
  const { errorCode, offset, timestamp, leaderEpoch } = listOffsetsAtAnswer(version, reader)!;
  const epoch = leaderEpoch === undefined ? '' : ` epoch ${leaderEpoch}`;
  return `v${version} at ${time}: ${errorCode} offset ${offset} time ${orNow(timestamp)}${epoch}`;
}
