import { BASE_TIMESTAMP, batch, CODEC_IDS, type Codec, type RecordSpec, record, store } from './batch.ts';
import { OLD_PRODUCE_VERSIONS, type OldCase, oldTopics } from './old-formats.ts';
import {
  oldFetch,
  oldFetchAnswer,
  oldProduce,
  oldProduceAnswer,
  orNow,
  seenBatch,
  seenMessages,
} from './old-wire.ts';
import {
  listOffsets,
  listOffsetsAnswer,
  makeTopics,
  type NewTopic,
  produce,
  produceAnswer,
  RawConnection,
} from './wire.ts';

/** What a Produce got, and the batch that a Fetch then gives; times of the broker's clock are said to be "now". */
export interface OldOutcome {
  readonly errorCode: number;
  /** From the log end before; nothing where no offset was given. */
  readonly offset?: number;
  readonly appendTime?: string;
  readonly stored?: Awaited<ReturnType<typeof seenBatch>>;
}

export interface OldGoldenCase {
  readonly name: string;
  readonly topic: string;
  /** Hex. */
  readonly records: string;
  /** By Produce version; a version that answers as the one before it is left out. */
  readonly answers: Readonly<Record<string, OldOutcome | 'closed'>>;
}

export interface OldFetchSpec {
  readonly name: string;
  readonly topic: string;
  readonly version: number;
  readonly offset: number;
  readonly partitionMaxBytes?: number;
  readonly maxBytes?: number;
}

export interface OldFetchOutcome extends OldFetchSpec {
  readonly errorCode: number;
  readonly highWatermark: number;
  readonly messages: readonly string[];
  /** There are bytes, and no whole message. */
  readonly overflow?: boolean;
}

async function outcomeOf(
  connection: RawConnection,
  topic: string,
  records: Buffer,
  version: number,
): Promise<OldOutcome | 'closed'> {
  const before = listOffsetsAnswer(await connection.ask(listOffsets(topic, -1)))[0]?.partitions[0]?.offset;
  const reader = await connection.call(oldProduce(version, topic, records));
  if (reader === undefined) return 'closed';
  const answer = oldProduceAnswer(version, reader);
  if (answer === undefined) throw new Error('an answer without the partition');
  const { errorCode, baseOffset, logAppendTimeMs } = answer;
  if (baseOffset === -1) return { errorCode };
  const fetched = oldFetchAnswer(
    10,
    await connection.ask(oldFetch(topic, { version: 10, offset: baseOffset })),
  );
  return {
    errorCode,
    offset: baseOffset - Number(before),
    ...(logAppendTimeMs === -1n ? {} : { appendTime: orNow(logAppendTimeMs) }),
    stored: await seenBatch(fetched.records),
  };
}

/** Sends every message set in every version that carries them and writes down what became of it. */
export async function runOldCases(port: number, cases: readonly OldCase[]): Promise<OldGoldenCase[]> {
  const answers = cases.map((): Record<string, OldOutcome | 'closed'> => ({}));
  for (const version of OLD_PRODUCE_VERSIONS) {
    await makeTopics(port, oldTopics(version));
    let connection = await RawConnection.open(port);
    for (const [index, one] of cases.entries()) {
      const outcome = await outcomeOf(connection, `${one.topic}-${version}`, one.records, version).catch(
        (error: unknown) => {
          throw new Error(`${one.name}, Produce v${version}: ${(error as Error).message}`, { cause: error });
        },
      );
      const of = answers[index]!;
      of[version] = outcome;
      if (outcome === 'closed') connection = await RawConnection.open(port);
    }
    connection.close();
  }
  return cases.map(({ name, topic, records }, i) => ({
    name,
    topic,
    records: records.toString('hex'),
    answers: withoutRepeats(answers[i]!),
  }));
}

function withoutRepeats<T>(answers: Readonly<Record<string, T>>): Record<string, T> {
  const kept: Record<string, T> = {};
  let last = '';
  for (const [version, outcome] of Object.entries(answers)) {
    const text = JSON.stringify(outcome);
    if (text !== last) kept[version] = outcome;
    last = text;
  }
  return kept;
}

const rows: readonly RecordSpec[] = [
  { key: 'k0', value: 'value 0', headers: [['h', 'x']] },
  { key: null, value: 'value 1', timestampDelta: 700 },
  { key: 'k2', value: null },
];

/** Three records of today: headers, no key, no value. */
export const modernBatch = (codec: Codec): Buffer =>
  batch({
    count: 3,
    attributes: CODEC_IDS[codec],
    records: store(codec, Buffer.concat(rows.map((row, i) => record(row, i)))),
    maxTimestamp: BASE_TIMESTAMP + 700,
  });

const plain = (value = 'v'): Buffer => batch({ records: [{ key: 'k', value }] });
const large = plain('x'.repeat(5000));

/** Batches of format 2 by topic, in the order in which they are written. */
const WRITTEN: Readonly<Record<string, readonly Buffer[]>> = {
  'f-plain': [modernBatch('none'), plain(), plain()],
  'f-gzip': [modernBatch('gzip'), plain()],
  'f-snappy': [modernBatch('snappy'), plain()],
  'f-lz4': [modernBatch('lz4'), plain()],
  'f-mixed': [plain(), modernBatch('gzip'), modernBatch('lz4'), plain()],
  'f-zstd': [plain(), modernBatch('zstd'), plain()],
  'f-to-zstd': [plain()],
  'f-large': [large, plain(), large],
  'f-many': Array.from({ length: 20 }, () =>
    batch({ records: Array.from({ length: 10 }, (_, i) => ({ value: `${i}` })) }),
  ),
  'f-no-time': [
    batch({ records: rows.map((r) => ({ ...r, timestampDelta: 0 })), baseTimestamp: -1, maxTimestamp: -1 }),
  ],
  'f-append-time': [plain()],
  'f-empty': [],
};

const FETCH_TOPICS: readonly NewTopic[] = Object.keys(WRITTEN).map((name) => ({
  name,
  configs: {
    ...(name === 'f-to-zstd' ? { 'compression.type': 'zstd' } : {}),
    ...(name === 'f-append-time' ? { 'message.timestamp.type': 'LogAppendTime' } : {}),
  },
}));

export function oldFetches(): OldFetchSpec[] {
  const specs: OldFetchSpec[] = [];
  for (const version of [0, 1, 2, 3]) {
    const add = (topic: string, offset: number, more: Partial<OldFetchSpec> = {}) => {
      const said = Object.entries(more).map(([key, value]) => `, ${key} ${value}`);
      specs.push({
        name: `v${version} ${topic} at ${offset}${said.join('')}`,
        topic,
        version,
        offset,
        ...more,
      });
    };
    for (const topic of Object.keys(WRITTEN)) add(topic, 0);
    for (const offset of [1, 2, 3, 4])
      for (const topic of ['f-plain', 'f-gzip', 'f-zstd']) add(topic, offset);
    add('f-plain', 5);
    add('f-plain', 6);
    add('f-zstd', 5);
    for (const partitionMaxBytes of [0, 20, 100, 1000, 5000, 5200, 6000])
      add('f-large', 0, { partitionMaxBytes });
    add('f-large', 1, { partitionMaxBytes: 300 });
    add('f-large', 2, { partitionMaxBytes: 300 });
    add('f-many', 35);
    if (version === 3) for (const maxBytes of [0, 100, 6000]) add('f-large', 0, { maxBytes });
    add('nowhere', 0);
  }
  for (const version of [4, 9]) {
    for (const topic of ['f-to-zstd', 'f-zstd'])
      specs.push({ name: `v${version} ${topic}`, topic, version, offset: 0 });
  }
  return specs;
}

/** Writes batches of format 2 and reads them as old consumers do. */
export async function runOldFetches(
  port: number,
  specs: readonly OldFetchSpec[],
): Promise<OldFetchOutcome[]> {
  await makeTopics(port, FETCH_TOPICS);
  const connection = await RawConnection.open(port);
  for (const [topic, batches] of Object.entries(WRITTEN)) {
    for (const records of batches) {
      const [answer] = produceAnswer(7, await connection.ask(produce(7, [{ topic, records }])));
      if (answer?.errorCode !== 0) throw new Error(`${topic}: error ${answer?.errorCode}`);
    }
  }
  const outcomes: OldFetchOutcome[] = [];
  for (const spec of specs) {
    const answer = oldFetchAnswer(spec.version, await connection.ask(oldFetch(spec.topic, spec)));
    const { errorCode, highWatermark, records } = answer;
    const messages = spec.version >= 4 ? [] : seenMessages(records);
    const overflow = spec.version < 4 && messages.length === 0 && records.length > 0;
    outcomes.push({ ...spec, errorCode, highWatermark, messages, ...(overflow ? { overflow } : {}) });
  }
  connection.close();
  return outcomes;
}
