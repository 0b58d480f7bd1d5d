import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { records } from '../../src/protocol/record-batch/index.ts';
import { Out } from '../../test/interop/support/bytes.ts';
import { until } from '../../test/interop/support/run.ts';
import type { Target } from '../../test/interop/support/target.ts';
import {
  fetch,
  fetchAnswer,
  makeTopics,
  RawConnection,
  type Request,
} from '../../test/interop/support/wire.ts';
import { batchOf, produceAll } from './fill.ts';

const RECORDS_OF_A_BATCH = 16;
const VALUE_BYTES = 1000;
const SEGMENT_BYTES = 100 * 1024 * 1024;
const COMPACTED_WITHIN_MS = 300_000;

/** A topic to be compacted: every key is written ten times over, so a tenth of the records lives. */
export interface CompactedTopic {
  readonly name: string;
  readonly keys: number;
  readonly records: number;
}

/** Writes it, without compaction for now. */
export async function fillForCompaction(
  port: number,
  name: string,
  megabytes: number,
): Promise<CompactedTopic> {
  const total = Math.floor((megabytes * 1e6) / VALUE_BYTES);
  const keys = Math.floor(total / 10 / RECORDS_OF_A_BATCH) * RECORDS_OF_A_BATCH;
  await makeTopics(port, [{ name, configs: { 'segment.bytes': `${SEGMENT_BYTES}` } }]);
  await produceAll(
    port,
    function* () {
      for (let at = 0; at < keys * 10; at += RECORDS_OF_A_BATCH) {
        const batch = batchOf(RECORDS_OF_A_BATCH, VALUE_BYTES, (n) => `key-${(at + n) % keys}`);
        yield { topic: name, partition: 0, batch };
      }
    },
    1,
  );
  return { name, keys, records: keys * 10 };
}

/** Lets the topic be compacted from now on. */
export async function startCompaction(port: number, { name }: CompactedTopic): Promise<void> {
  const connection = await RawConnection.open(port);
  try {
    const answer = await connection.ask(
      alterTopic(name, { 'cleanup.policy': 'compact', 'min.cleanable.dirty.ratio': '0.01' }),
    );
    answer.int32(); // throttle time
    const errors = answer.array(() => {
      const code = answer.int16();
      answer.string();
      answer.int8();
      answer.string();
      return code;
    });
    if (errors.some((code) => code !== 0)) throw new Error(`settings of ${name} not changed: ${errors}`);
  } finally {
    connection.close();
  }
}

/** Resolves with the offset up to which it is compacted, once that is all but the active segment. */
export function whenCompacted(target: Target, { name }: CompactedTopic): Promise<number> {
  const bases = readdirSync(join(target.dataDir, `${name}-0`)).filter((file) => file.endsWith('.log'));
  const active = Math.max(...bases.map((file) => Number.parseInt(file, 10)));
  return until(
    `${name} to be compacted`,
    () => {
      const end = compactedTo(target.dataDir, name);
      return end >= active ? end : undefined;
    },
    COMPACTED_WITHIN_MS,
  );
}

function compactedTo(dataDir: string, topic: string): number {
  try {
    const text = readFileSync(join(dataDir, 'cleaner-offset-checkpoint'), 'utf8');
    return Number(new RegExp(`^${topic} 0 (\\d+)$`, 'm').exec(text)?.[1] ?? -1);
  } catch {
    return -1;
  }
}

/** Below `cleanedEnd` the last record of every key is there and no other, behind it all of them. */
export async function checkCompacted(
  port: number,
  { name, keys, records: total }: CompactedTopic,
  cleanedEnd: number,
): Promise<void> {
  let expected = cleanedEnd - keys;
  const connection = await RawConnection.open(port);
  try {
    for (let next = 0; next < total; ) {
      const [topic] = fetchAnswer(await connection.ask(fetch(name, next, { maxBytes: 1_000_000 }), 60_000));
      const partition = topic?.partitions[0];
      const bytes = partition?.records;
      if (partition?.errorCode !== 0 || bytes === undefined || bytes === null || bytes.length === 0)
        throw new Error(`nothing to read at ${next}: ${partition?.errorCode}`);
      for (let at = 0; bytes.length - at >= 61 && 12 + bytes.readInt32BE(at + 8) <= bytes.length - at; ) {
        const size = 12 + bytes.readInt32BE(at + 8);
        for (const record of records(bytes.subarray(at, at + size), { at: 0, maxPlainBytes: size })) {
          if (record.offset < next) continue;
          if (record.offset !== expected) throw new Error(`${record.offset} lives instead of ${expected}`);
          expected = record.offset + 1;
        }
        next = Number(bytes.readBigInt64BE(at)) + bytes.readInt32BE(at + 23) + 1;
        at += size;
      }
    }
  } finally {
    connection.close();
  }
  if (expected !== total) throw new Error(`${name} ends at ${expected}, not at ${total}`);
}

/** IncrementalAlterConfigs v0 of one topic. */
function alterTopic(topic: string, configs: Readonly<Record<string, string>>): Request {
  const entries = Object.entries(configs);
  const out = new Out().int32(1).int8(2).string(topic).int32(entries.length);
  for (const [name, value] of entries) out.string(name).int8(0).string(value);
  return { apiKey: 44, version: 0, flexible: false, body: out.bool(false).done() };
}
