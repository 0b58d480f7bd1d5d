import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { apacheMissing } from './support/apache.ts';
import { BASE_TIMESTAMP, batch, CODEC_IDS, type Codec, record, store } from './support/batch.ts';
import { freePort } from './support/ports.ts';
import { sleep } from './support/run.ts';
import { startTarget, type Target, type TargetName } from './support/target.ts';
import { answerOf, frame, makeTopics, produce, produceAnswer, RawConnection } from './support/wire.ts';
import { readBatches } from './support/workload.ts';

/** The broker is killed twice under load; what it acknowledged must be there, where its answer said. */

const PORT = await freePort();
const TOPIC = 'crash';
const PARTITIONS = 3;
const CLIENTS = 3;
const RECORDS = 500_000;
const PER_BATCH = 100;
const IN_FLIGHT = 5;
const CODECS: readonly Codec[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
const BATCHES_PER_CLIENT = Math.ceil(RECORDS / PER_BATCH / CLIENTS);

/** The place of the client's own number in each record's value. */
const ID = 'client-batch-index'.length + 6;
const template = Buffer.concat(
  Array.from({ length: PER_BATCH }, (_, i) => record({ key: `k${i % 10}`, value: 'x'.repeat(ID + 40) }, i)),
);
const idPlaces = ((): number[] => {
  const places: number[] = [];
  for (let at = template.indexOf('xxxx'); at >= 0; at = template.indexOf('xxxx', at + ID + 40))
    places.push(at);
  return places;
})();

function batchOf(client: number, n: number): Buffer {
  const payload = Buffer.from(template);
  for (const [i, at] of idPlaces.entries())
    payload.write(`${client}/${n}/${i}`.padEnd(ID, '.'), at, 'latin1');
  const codec = CODECS[n % CODECS.length] ?? 'none';
  return batch({
    records: codec === 'gzip' ? gzipSync(payload, { level: 1 }) : store(codec, payload),
    count: PER_BATCH,
    attributes: CODEC_IDS[codec],
    maxTimestamp: BASE_TIMESTAMP + PER_BATCH - 1,
  });
}

/** Of all that the server does not set: everything but base offset and leader epoch. */
function identity(bytes: Buffer): string {
  return createHash('sha256').update(bytes.subarray(8, 12)).update(bytes.subarray(16)).digest('base64');
}

interface Written {
  /** By identity: where the answer said it is, as `partition:offset`. */
  readonly acknowledged: Map<string, string>;
  readonly unacknowledged: Set<string>;
  /** Answers with an error, by code. */
  readonly refused: Map<number, number>;
}

async function connected(): Promise<RawConnection> {
  for (let tries = 0; ; tries++) {
    try {
      return await RawConnection.open(PORT);
    } catch (error) {
      if (tries > 9000) throw error;
      await sleep(20);
    }
  }
}

/** Writes its batches once each, five in flight, and never again what it got no answer for. */
async function client(number: number, written: Written, onAcknowledged: () => void): Promise<void> {
  let connection = await connected();
  const waiting: {
    id: string;
    partition: number;
    request: ReturnType<typeof produce>;
    correlation: number;
  }[] = [];
  const lose = async (): Promise<void> => {
    for (const one of waiting.splice(0)) written.unacknowledged.add(one.id);
    connection.close();
    connection = await connected();
  };
  const takeAnswer = async (): Promise<void> => {
    const bytes = await connection.receive();
    const first = waiting[0];
    if (bytes === undefined || first === undefined) return lose();
    waiting.shift();
    const [answer] = produceAnswer(9, answerOf(first.request, bytes, first.correlation));
    if (answer?.errorCode !== 0) {
      const code = answer?.errorCode ?? -1;
      written.refused.set(code, (written.refused.get(code) ?? 0) + 1);
      written.unacknowledged.add(first.id);
      await sleep(5);
      return;
    }
    written.acknowledged.set(first.id, `${first.partition}:${answer.baseOffset}`);
    onAcknowledged();
  };
  for (let n = 0; n < BATCHES_PER_CLIENT; n++) {
    const records = batchOf(number, n);
    const partition = (number + n) % PARTITIONS;
    const request = produce(9, [{ topic: TOPIC, partition, records }]);
    while (waiting.length >= IN_FLIGHT) await takeAnswer();
    const correlation = connection.correlation();
    waiting.push({ id: identity(records), partition, request, correlation });
    connection.send(frame(request, correlation));
  }
  while (waiting.length > 0) await takeAnswer();
  connection.close();
}

async function killedTwice(name: TargetName): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'odradek-crash-'));
  const dataDir = join(work, 'data');
  let target: Target | undefined;
  try {
    target = await startTarget(name, { port: PORT, dataDir });
    await makeTopics(PORT, [
      { name: TOPIC, partitions: PARTITIONS, configs: { 'segment.bytes': '8388608' } },
    ]);
    const written: Written = { acknowledged: new Map(), unacknowledged: new Set(), refused: new Map() };
    const total = BATCHES_PER_CLIENT * CLIENTS;
    const killAt = [Math.floor(total / 3), Math.floor((total * 2) / 3)];
    let restart: Promise<void> = Promise.resolve();
    const onAcknowledged = (): void => {
      if (killAt[0] === undefined || written.acknowledged.size < killAt[0]) return;
      killAt.shift();
      const old = target;
      restart = restart.then(async () => {
        await old?.stop('SIGKILL');
        target = await startTarget(name, { port: PORT, dataDir });
      });
    };
    await Promise.all(Array.from({ length: CLIENTS }, (_, c) => client(c, written, onAcknowledged)));
    await restart;
    expect(killAt).toEqual([]);
    expect(written.acknowledged.size + written.unacknowledged.size).toBe(total);
    expect(written.acknowledged.size).toBeGreaterThan(total * 0.8);

    let records = 0;
    const found = new Map<string, string>();
    const problems: string[] = [];
    for (let partition = 0; partition < PARTITIONS; partition++) {
      let next = 0n;
      for (const bytes of await readBatches(PORT, TOPIC, partition)) {
        const offset = bytes.readBigInt64BE(0);
        if (offset !== next) problems.push(`partition ${partition}: ${offset} follows ${next - 1n}`);
        const count = bytes.readInt32BE(57);
        next = offset + BigInt(count);
        records += count;
        const id = identity(bytes);
        const place = `${partition}:${offset}`;
        if (found.has(id)) problems.push(`${place}: the same batch as at ${found.get(id)}`);
        found.set(id, place);
        const promised = written.acknowledged.get(id);
        if (promised === undefined && !written.unacknowledged.has(id))
          problems.push(`${place}: nobody wrote this`);
        if (promised !== undefined && promised !== place)
          problems.push(`${place}: acknowledged as ${promised}`);
      }
    }
    for (const [id, place] of written.acknowledged)
      if (!found.has(id)) problems.push(`${place}: acknowledged and lost`);
    expect(problems.slice(0, 20)).toEqual([]);
    expect(records).toBe(found.size * PER_BATCH);
  } finally {
    await target?.stop('SIGKILL');
    rmSync(work, { recursive: true, force: true });
  }
}

// Apache Kafka only on request: it shows that the test itself is right.
const name: TargetName = process.env['INTEROP_TARGETS'] === 'apache' ? 'apache' : 'odradek';
const missing = name === 'apache' ? await apacheMissing() : undefined;

describe(`${RECORDS} records, and ${name} killed twice${missing ? ` (SKIPPED: ${missing})` : ''}`, () => {
  test.skipIf(missing !== undefined)(
    'each acknowledged batch is where its answer said, others once or not at all',
    () => killedTwice(name),
  );
});
