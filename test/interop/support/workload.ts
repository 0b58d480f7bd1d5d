import { gzipSync } from 'node:zlib';
import { BASE_TIMESTAMP, batch, CODEC_IDS, type Codec, record, store } from './batch.ts';
import { sleep } from './run.ts';
import { fetch, fetchAnswer, makeTopics, produce, produceAnswer, RawConnection } from './wire.ts';

/** Every kind of batch a log can hold, written to a broker, so that its folders can be read by other programs. */

export const WORKLOAD_TOPICS = [
  'log-none',
  'log-gzip',
  'log-snappy',
  'log-lz4',
  'log-zstd',
  'log-producers',
  'log-append-time',
];

const ROLLED_SEGMENT_BYTES = 1_048_576;

function batchOf(codec: Codec, from: number, count: number, valueBytes: number): Buffer {
  const records = Array.from({ length: count }, (_, i) => ({
    key: `key-${from + i}`,
    value: `${from + i} `.padEnd(valueBytes, 'abcdefgh'),
    headers: [['source', 'interop']] as const,
  }));
  const payload = Buffer.concat(records.map((spec, i) => record(spec, i)));
  return batch({
    records: codec === 'gzip' ? gzipSync(payload) : store(codec, payload),
    count,
    attributes: CODEC_IDS[codec],
    baseTimestamp: BASE_TIMESTAMP + from * 10,
    maxTimestamp: BASE_TIMESTAMP + from * 10 + count - 1,
  });
}

export async function writeWorkload(port: number): Promise<void> {
  const rolled = { 'segment.bytes': String(ROLLED_SEGMENT_BYTES) };
  await makeTopics(port, [
    ...(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const).map((codec) => ({
      name: `log-${codec}`,
      configs: rolled,
    })),
    { name: 'log-producers' },
    { name: 'log-append-time', configs: { 'message.timestamp.type': 'LogAppendTime' } },
  ]);
  const connection = await RawConnection.open(port);
  const send = async (topic: string, records: Buffer): Promise<void> => {
    const [answer] = produceAnswer(9, await connection.ask(produce(9, [{ topic, records }])));
    if (answer?.errorCode !== 0)
      throw new Error(`${topic}: error ${answer?.errorCode} ${answer?.errorMessage}`);
  };
  for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
    // Enough for three segments where it is not compressed in earnest, and for many index entries.
    for (let n = 0; n < 60; n++) await send(`log-${codec}`, batchOf(codec, n * 50, 50, 900));
  }
  for (let n = 0; n < 50; n++) {
    const producer = { producerId: 4000 + (n % 3), producerEpoch: 1, baseSequence: Math.floor(n / 3) * 2 };
    await send('log-producers', batch({ records: [{ key: 'k', value: 'a' }, { value: 'b' }], ...producer }));
    await send('log-append-time', batch({ records: [{ key: 'k', value: `${n}` }] }));
  }
  connection.close();
}

const NOT_LEADER_OR_FOLLOWER = 6;

/**
 * All batches of a partition from its start, each fetch from where the last one ended. A restarted Apache Kafka serves before its
 * partitions have leaders: `waitForLeaderMs` is for it alone, this broker opens its port when it can answer.
 */
export async function readBatches(
  port: number,
  topic: string,
  partition = 0,
  waitForLeaderMs = 0,
): Promise<Buffer[]> {
  const deadline = Date.now() + waitForLeaderMs;
  const connection = await RawConnection.open(port);
  const batches: Buffer[] = [];
  try {
    for (let next = 0n; ; ) {
      const answer = fetchAnswer(
        await connection.ask(fetch(topic, next, { partition, maxBytes: 8_000_000 })),
      );
      const got = answer[0]?.partitions[0];
      if (got?.errorCode === NOT_LEADER_OR_FOLLOWER && Date.now() < deadline) {
        await sleep(20);
        continue;
      }
      if (got === undefined || got.errorCode !== 0)
        throw new Error(`fetch of ${topic} at ${next}: ${got?.errorCode}`);
      const whole = splitBatches(got.records ?? Buffer.alloc(0));
      if (whole.length === 0) {
        if (next !== got.highWatermark)
          throw new Error(`${topic}: nothing at ${next} of ${got.highWatermark}`);
        return batches;
      }
      for (const one of whole) {
        batches.push(one);
        next = one.readBigInt64BE(0) + BigInt(one.readInt32BE(23)) + 1n;
      }
    }
  } finally {
    connection.close();
  }
}

function splitBatches(records: Buffer): Buffer[] {
  const whole: Buffer[] = [];
  for (let at = 0; at + 12 <= records.length; ) {
    const size = 12 + records.readInt32BE(at + 8);
    if (at + size > records.length) break;
    whole.push(records.subarray(at, at + size));
    at += size;
  }
  return whole;
}
