import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { defaults } from '../../src/protocol/codec.ts';
import {
  AlterReplicaLogDirsRequest,
  AlterReplicaLogDirsResponse,
} from '../../src/protocol/messages/alter-replica-log-dirs.ts';
import {
  DescribeLogDirsRequest,
  DescribeLogDirsResponse,
} from '../../src/protocol/messages/describe-log-dirs.ts';
import {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse,
} from '../../src/protocol/messages/incremental-alter-configs.ts';
import { WireClient } from '../integration/wire-client.ts';
import { apacheMissing, KAFKA_VERSION } from './support/apache.ts';
import { batch } from './support/batch.ts';
import { caughtUp } from './support/caught-up.ts';
import { freePort } from './support/ports.ts';
import { isInstalled, PATIENCE_MS, until } from './support/run.ts';
import { startTarget, type Target, type TargetName, wantedTargets } from './support/target.ts';
import { JavaTools } from './support/tools.ts';
import { makeTopics, produce, produceAnswer, RawConnection } from './support/wire.ts';
import { readBatches } from './support/workload.ts';

/** Replicas go from one log dir to another: as Apache Kafka has it, and across a change of brokers. */

const PORT = await freePort();
const TOPIC = 'moving';
const BATCHES = 40;
const THROTTLE = 'replica.alter.log.dirs.io.max.bytes.per.second';
const BROKER = 4;

interface Place {
  readonly dir: string;
  readonly size: number;
  readonly lag: number;
  readonly isFuture: boolean;
}

/** A broker with two log dirs, and what is asked of it. */
class Cluster {
  readonly root: string;
  readonly target: Target;
  readonly client: WireClient;

  private constructor(root: string, target: Target, client: WireClient) {
    this.root = root;
    this.target = target;
    this.client = client;
  }

  static async start(name: TargetName, root: string): Promise<Cluster> {
    const properties = { 'log.dirs': `${root}/a,${root}/b`, 'log.segment.bytes': '1048576' };
    const target = await startTarget(name, { port: PORT, dataDir: join(root, 'a'), properties });
    return new Cluster(root, target, await WireClient.open(target.bootstrap));
  }

  async stop(signal?: NodeJS.Signals): Promise<void> {
    this.client.close();
    await this.target.stop(signal);
  }

  async write(): Promise<void> {
    await makeTopics(PORT, [{ name: TOPIC }]);
    const connection = await RawConnection.open(PORT);
    for (let at = 0; at < BATCHES; at += 1) {
      const records = batch({ records: [{ key: `k${at}`, value: 'x'.repeat(150_000) }] });
      const [answer] = produceAnswer(7, await connection.ask(produce(7, [{ topic: TOPIC, records }])));
      expect(answer?.errorCode).toBe(0);
    }
    connection.close();
  }

  async places(): Promise<Place[]> {
    const body = { topics: [{ topic: TOPIC, partitions: [0] }] };
    const answer = await this.client.request(DescribeLogDirsRequest, DescribeLogDirsResponse, 4, body);
    return answer.results.flatMap(({ logDir, topics }) =>
      topics.flatMap(({ partitions }) =>
        partitions.map(({ partitionSize, offsetLag, isFutureKey }) => ({
          dir: logDir.slice(this.root.length + 1),
          size: partitionSize,
          lag: offsetLag,
          isFuture: isFutureKey,
        })),
      ),
    );
  }

  async volumes() {
    const answer = await this.client.request(DescribeLogDirsRequest, DescribeLogDirsResponse, 4, {
      topics: [],
    });
    return answer.results.map(({ totalBytes, usableBytes }) => ({ totalBytes, usableBytes }));
  }

  async move(dir: string, topic = TOPIC): Promise<number> {
    const dirs = [{ path: join(this.root, dir), topics: [{ name: topic, partitions: [0] }] }];
    const answer = await this.client.request(AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse, 2, {
      dirs,
    });
    return answer.results[0]!.partitions[0]!.errorCode;
  }

  /** Undefined: no limit. */
  async throttle(bytesPerSecond: number | undefined): Promise<void> {
    const isSet = bytesPerSecond !== undefined;
    const config = {
      name: THROTTLE,
      value: isSet ? String(bytesPerSecond) : null,
      configOperation: isSet ? 0 : 1,
    };
    const body = defaults(IncrementalAlterConfigsRequest, {
      resources: [{ resourceType: BROKER, resourceName: '1', configs: [config] }],
    });
    const answer = await this.client.request(
      IncrementalAlterConfigsRequest,
      IncrementalAlterConfigsResponse,
      1,
      body,
    );
    expect(answer.responses[0]?.errorCode).toBe(0);
    await caughtUp(PORT);
  }

  settled(dir: string): Promise<Place[]> {
    return until(`the replica to be in ${dir} alone`, async () => {
      const places = await this.places();
      return places.length === 1 && places[0]?.dir === dir && !places[0].isFuture ? places : undefined;
    });
  }

  /** The dirs where it is and where it is not. */
  async homeAndOther(): Promise<readonly [string, string]> {
    const home = (await this.places()).find(({ isFuture }) => !isFuture)!.dir;
    return [home, home === 'a' ? 'b' : 'a'];
  }
}

async function inFolder(run: (root: string) => Promise<void>): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'odradek-move-'));
  try {
    for (const dir of ['a', 'b']) mkdirSync(join(root, dir));
    await run(root);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** What the official tools and the protocol say of a move, of one that is cancelled, and of what is refused. */
async function observe(name: TargetName, root: string, tools: JavaTools): Promise<Record<string, unknown>> {
  const cluster = await Cluster.start(name, root);
  const seen: Record<string, unknown> = {};
  try {
    await cluster.write();
    const [home, other] = await cluster.homeAndOther();
    const named = (text: string) =>
      text.replaceAll(join(root, home), '<home>').replaceAll(join(root, other), '<other>');
    const server = ['--bootstrap-server', cluster.target.bootstrap];
    const placesNow = async () =>
      (await cluster.places())
        .map((place) => ({ ...place, dir: place.dir === home ? '<home>' : '<other>' }))
        .sort((a, b) => (a.dir < b.dir ? -1 : 1));
    const plan = (dir: string): string => {
      const file = join(root, `to-${dir}.json`);
      const partitions = [{ topic: TOPIC, partition: 0, replicas: [1], log_dirs: [join(root, dir)] }];
      writeFileSync(file, JSON.stringify({ version: 1, partitions }));
      return file;
    };
    const reassign = async (...args: readonly string[]) => {
      const { code, stdout, stderr } = await tools.run('kafka-reassign-partitions', [...server, ...args]);
      return { code, stdout: named(stdout), stderr: named(stderr) };
    };
    seen['before'] = await placesNow();
    seen['execute'] = await reassign('--reassignment-json-file', plan(other), '--execute');
    await cluster.settled(other);
    seen['after'] = await placesNow();
    seen['verify'] = await reassign('--reassignment-json-file', plan(other), '--verify');
    const described = await tools.run('kafka-log-dirs', [...server, '--describe', '--topic-list', TOPIC]);
    const json = described.stdout.split('\n').find((line) => line.startsWith('{')) ?? '';
    const dirs = (JSON.parse(json) as { brokers: { logDirs: { logDir: string }[] }[] }).brokers[0]!.logDirs;
    dirs.sort((one, two) => (one.logDir === join(root, home) ? -1 : two.logDir === join(root, home) ? 1 : 0));
    seen['kafka-log-dirs'] = JSON.parse(named(JSON.stringify(dirs)));
    await cluster.throttle(1000);
    seen['a slow move'] = await cluster.move(home);
    const slow = await until('a part of the copy', async () => {
      const copy = (await cluster.places()).find(({ isFuture }) => isFuture);
      return copy !== undefined && copy.size > 0 ? copy : undefined;
    });
    seen['its copy'] = { dir: slow.dir === home, isBehind: slow.lag > 0 && slow.lag < BATCHES };
    seen['verify while it moves'] = await reassign('--reassignment-json-file', plan(home), '--verify');
    seen['called back'] = await cluster.move(other);
    await cluster.settled(other);
    seen['elsewhere'] = await cluster.move('c');
    seen['an unknown topic'] = await cluster.move(home, 'never-was');
    seen['a long name'] = await cluster.move(home, 'x'.repeat(230));
    seen['records'] = (await readBatches(PORT, TOPIC)).length;
    seen['volumes'] = await cluster.volumes();
  } finally {
    await cluster.stop();
  }
  return seen;
}

const missing =
  (await apacheMissing()) ?? ((await isInstalled('javac')) ? undefined : 'javac is not installed');
const isWanted = missing === undefined && wantedTargets().length === 2;
const skipped = missing === undefined ? '' : ` (SKIPPED: ${missing})`;

describe.skipIf(!isWanted)(`several log dirs${skipped}`, () => {
  test(`moves are as in Apache Kafka ${KAFKA_VERSION}`, async () => {
    const tools = await JavaTools.start();
    try {
      const seen: Record<string, unknown>[] = [];
      for (const name of ['apache', 'odradek'] as const) {
        await inFolder(async (root) => void seen.push(await observe(name, root, tools)));
      }
      const [{ volumes: theirs, ...apache } = {}, { volumes: ours, ...odradek } = {}] = seen;
      expect(odradek).toEqual(apache);
      expect(odradek['records']).toBe(BATCHES);
      type Volume = { totalBytes: number; usableBytes: number };
      for (const [at, { totalBytes, usableBytes }] of (ours as Volume[]).entries()) {
        const volume = (theirs as Volume[])[at]!;
        expect(totalBytes).toBe(volume.totalBytes);
        // Others write to the disk meanwhile.
        expect(Math.abs(usableBytes - volume.usableBytes)).toBeLessThan(totalBytes / 20);
      }
    } finally {
      await tools.stop();
    }
  });

  const ways = [
    ['apache', 'odradek'],
    ['odradek', 'apache'],
  ] as const;
  for (const [from, to] of ways) {
    test.each([
      ['a clean stop', 'SIGTERM'],
      ['a kill', 'SIGKILL'],
    ] as const)(
      `a move that ${from} began is finished by ${to} after %s, and the way back too`,
      async (_, signal) => {
        await inFolder(async (root) => {
          const begin = await Cluster.start(from, root);
          await begin.write();
          const [home, other] = await begin.homeAndOther();
          await begin.throttle(1000);
          expect(await begin.move(other)).toBe(0);
          await until('a part of the copy', async () =>
            (await begin.places()).some(({ isFuture, size }) => isFuture && size > 0) ? true : undefined,
          );
          await begin.stop(signal);
          expect(readdirSync(join(root, other)).some((name) => name.endsWith('-future'))).toBe(true);
          const there = await Cluster.start(to, root);
          await there.throttle(undefined);
          const [place] = await there.settled(other);
          expect((await readBatches(PORT, TOPIC, 0, PATIENCE_MS)).length).toBe(BATCHES);
          expect(await there.move(home)).toBe(0);
          await there.settled(home);
          await there.stop(signal);
          const back = await Cluster.start(from, root);
          const [last] = await back.settled(home);
          expect([last?.size, place?.lag]).toEqual([place?.size, 0]);
          expect((await readBatches(PORT, TOPIC, 0, PATIENCE_MS)).length).toBe(BATCHES);
          await back.stop();
        });
      },
    );
  }
});
