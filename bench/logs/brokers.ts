import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Out } from '../../test/interop/support/bytes.ts';
import { runOk, sleep } from '../../test/interop/support/run.ts';
import { startTarget, type Target, type TargetName } from '../../test/interop/support/target.ts';
import {
  listOffsetsAnswer,
  metadata,
  metadataAnswer,
  RawConnection,
  type Request,
} from '../../test/interop/support/wire.ts';
import { cpuMsOf } from '../process-cost.ts';

/** A topic as it must be found: where each of its partitions ends. */
export interface TopicEnds {
  readonly name: string;
  readonly ends: readonly number[];
}

const PORTS: Readonly<Record<TargetName, number>> = { odradek: 23010, apache: 23020 };
const LED_WITHIN_MS = 180_000;

export function start(
  name: TargetName,
  dataDir: string,
  properties: Readonly<Record<string, string>> = {},
): Promise<Target> {
  return startTarget(name, { port: PORTS[name], dataDir, forBench: true, properties });
}

/** Runs with a new data folder, which goes afterwards. */
export async function withDataDir<T>(run: (dataDir: string) => Promise<T>): Promise<T> {
  const work = mkdtempSync(join(tmpdir(), 'odradek-bench-'));
  try {
    return await run(join(work, 'data'));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Runs with a broker on a new data folder; both go afterwards. */
export function withBroker<T>(
  name: TargetName,
  properties: Readonly<Record<string, string>>,
  run: (target: Target) => Promise<T>,
): Promise<T> {
  return withDataDir(async (dataDir) => {
    const target = await start(name, dataDir, properties);
    try {
      return await run(target);
    } finally {
      await target.stop('SIGKILL');
    }
  });
}

/** What was written before is on the disk, so that nobody's writing back disturbs what is measured now. */
export const settleDisk = (): Promise<string> => runOk('sync', []);

export interface Boot {
  readonly target: Target;
  /** From the start of the process until every partition answered with its end offset. */
  readonly ms: number;
  readonly cpuMs: number;
}

/** Starts a broker on a folder that has these topics. */
export async function boot(
  name: TargetName,
  dataDir: string,
  topics: readonly TopicEnds[],
  properties: Readonly<Record<string, string>> = {},
): Promise<Boot> {
  const startedMs = performance.now();
  const starting = start(name, dataDir, properties);
  const led = whenLed(PORTS[name], topics).then(() => performance.now() - startedMs);
  const target = await starting;
  try {
    const ms = await led;
    return { target, ms, cpuMs: cpuMsOf(target.process.pid ?? 0) };
  } catch (error) {
    await target.stop('SIGKILL');
    throw error;
  }
}

/** Resolves once every partition has a leader that says where it ends, and that is where it must. */
export async function whenLed(port: number, topics: readonly TopicEnds[]): Promise<void> {
  const deadline = Date.now() + LED_WITHIN_MS;
  let connection: RawConnection | undefined;
  try {
    for (;;) {
      connection ??= await RawConnection.open(port).catch(() => undefined);
      if (connection !== undefined && (await isLed(connection, topics))) return;
      if (connection?.isClosed === true) connection = undefined;
      if (Date.now() > deadline) throw new Error(`not all partitions are led after ${LED_WITHIN_MS} ms`);
      await sleep(5);
    }
  } finally {
    connection?.close();
  }
}

async function isLed(connection: RawConnection, topics: readonly TopicEnds[]): Promise<boolean> {
  const known = await connection.call(metadata(topics.map(({ name }) => name)), 60_000);
  if (known === undefined) return false;
  const answer = metadataAnswer(known);
  for (const topic of answer.topics) {
    if (topic.errorCode !== 0) return false;
    if (topic.partitions.some(({ errorCode, leader }) => errorCode !== 0 || leader < 0)) return false;
  }
  for (const topic of topics) if (!(await endsAsItMust(connection, topic))) return false;
  return true;
}

async function endsAsItMust(connection: RawConnection, { name, ends }: TopicEnds): Promise<boolean> {
  const asked = await connection.call(listEnds(name, ends.length), 60_000);
  if (asked === undefined) return false;
  const partitions = listOffsetsAnswer(asked).flatMap((topic) => topic.partitions);
  if (partitions.length !== ends.length || partitions.some(({ errorCode }) => errorCode !== 0)) return false;
  for (const { partition, offset } of partitions) {
    if (Number(offset) !== ends[partition])
      throw new Error(`${name}-${partition} ends at ${offset}, not at ${ends[partition]}`);
  }
  return true;
}

/** ListOffsets v1 of the ends of a topic's partitions. */
function listEnds(topic: string, partitions: number): Request {
  const out = new Out().int32(-1).int32(1).string(topic).int32(partitions);
  for (let partition = 0; partition < partitions; partition++) out.int32(partition).int64(-1);
  return { apiKey: 2, version: 1, flexible: false, body: out.done() };
}
