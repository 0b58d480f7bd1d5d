import { type ChildProcess, spawn } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { type Admin, Kafka, logLevel } from 'kafkajs';
import { expect } from 'vitest';
import { apacheMissing, connectClassPath, JVM_FLAGS, KAFKA_VERSION, LOGGING } from './support/apache.ts';
import { compareBrokers, type Observations } from './support/compare.ts';
import { freePort } from './support/ports.ts';
import { endProcess, until } from './support/run.ts';
import type { Target } from './support/target.ts';

/**
 * Kafka Connect with exactly-once sources: its workers are a group of a protocol of their own, keep what they know in
 * compacted topics, write in transactions and fence the tasks of a worker that died.
 */

const TOPIC = 'lines';
/** Written before, after and between the workers that die. */
const PART = 400;
const LIVES = 3;

const linesOf = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, at) => `line ${from + at}`);

async function observe(target: Target): Promise<Observations> {
  const work = mkdtempSync(join(tmpdir(), 'odradek-connect-'));
  const source = join(work, 'in.txt');
  const sink = join(work, 'out.txt');
  const seen: Observations = {};
  let worker: Worker | undefined;
  try {
    for (let life = 0; life < LIVES; life++) {
      worker = await Worker.start(target.bootstrap, work);
      if (life === 0) await makeConnectors(worker, source, sink);
      const from = life * PART;
      appendLines(source, linesOf(from, from + PART / 2));
      await until(`line ${from + PART / 2 - 1} in the sink`, () => hasLine(sink, from + PART / 2 - 1));
      if (life < LIVES - 1) {
        // It dies with a transaction under way, as a rule.
        const before = await endOf(target.bootstrap);
        appendLines(source, linesOf(from + PART / 2, from + PART));
        await until('more records', async () =>
          (await endOf(target.bootstrap)) >= before + PART / 2 ? true : undefined,
        );
        await worker.kill();
      }
    }
    const last = worker as Worker;
    const end = LIVES * PART - PART / 2;
    const offsets = await until('the offset of the source', async () => {
      const said = await last.ask('GET', '/connectors/src/offsets');
      return JSON.stringify(said).includes(`"position":${readFileSync(source).length}`) ? said : undefined;
    });
    seen['offset of the source'] = JSON.parse(JSON.stringify(offsets).replaceAll(source, 'in.txt'));
    const records = await readCommitted(target.bootstrap, end);
    seen['each line once and in order'] = records.join('\n') === linesOf(0, end).join('\n');
    seen['lines that the sink has not got'] = linesOf(0, end).filter((line) => !sinkLines(sink).has(line));
    for (const name of ['src', 'snk']) seen[`state of ${name}`] = await last.states(name);
    await last.stop();
    seen['groups'] = await groupsOf(target.bootstrap);
    return seen;
  } finally {
    await worker?.kill();
    rmSync(work, { recursive: true, force: true });
  }
}

const appendLines = (file: string, lines: readonly string[]): void =>
  appendFileSync(file, `${lines.join('\n')}\n`);

const sinkLines = (file: string): Set<string> =>
  new Set(existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []);

const hasLine = (file: string, line: number): true | undefined =>
  sinkLines(file).has(`line ${line}`) ? true : undefined;

async function makeConnectors(worker: Worker, source: string, sink: string): Promise<void> {
  const kind = 'org.apache.kafka.connect.file.FileStream';
  await worker.ask('PUT', '/connectors/src/config', {
    'connector.class': `${kind}SourceConnector`,
    'exactly.once.support': 'required',
    'transaction.boundary': 'interval',
    'transaction.boundary.interval.ms': '500',
    file: source,
    topic: TOPIC,
  });
  await worker.ask('PUT', '/connectors/snk/config', {
    'connector.class': `${kind}SinkConnector`,
    'consumer.override.isolation.level': 'read_committed',
    'consumer.override.session.timeout.ms': '2000',
    'consumer.override.heartbeat.interval.ms': '300',
    file: sink,
    topics: TOPIC,
  });
}

/** A distributed worker in a JVM of its own, spoken to over its REST interface. */
class Worker {
  readonly #process: ChildProcess;
  readonly #url: string;

  private constructor(child: ChildProcess, url: string) {
    this.#process = child;
    this.#url = url;
  }

  static async start(bootstrap: string, work: string): Promise<Worker> {
    const classPath = await connectClassPath();
    const url = `http://127.0.0.1:${await freePort()}`;
    const file = join(work, 'worker.properties');
    const lines = Object.entries(settings(bootstrap, url, plugins(classPath, work)));
    writeFileSync(file, lines.map(([key, value]) => `${key}=${value}\n`).join(''));
    const flags = [...JVM_FLAGS, '-Xmx384M', `-Dlog4j2.configurationFile=${LOGGING}`];
    const main = 'org.apache.kafka.connect.cli.ConnectDistributed';
    const child = spawn('java', [...flags, '-cp', classPath, main, file], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said = `${said}${chunk.toString()}`.slice(-3000);
    });
    const worker = new Worker(child, url);
    try {
      await until('a worker that is in its group', async () => {
        if (child.exitCode !== null) throw new Error(`the worker ended:\n${said}`);
        return (await worker.#answers()) ? true : undefined;
      });
    } catch (error) {
      await worker.kill();
      throw error;
    }
    return worker;
  }

  /** It lists connectors only when it has read what the group knows. */
  async #answers(): Promise<boolean> {
    try {
      return (await fetch(`${this.#url}/connectors`)).ok;
    } catch {
      return false;
    }
  }

  /** Asked again while a worker is in the middle of a rebalance (409), knows nothing yet (404), or is too slow for itself (500). */
  ask(method: string, path: string, body?: unknown): Promise<unknown> {
    return until(`${method} ${path}`, async () => {
      const response = await fetch(`${this.#url}${path}`, {
        method,
        headers: { 'Content-Type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      if (response.status === 409 || response.status === 404 || response.status >= 500) return undefined;
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
      return JSON.parse(text);
    });
  }

  /** Of a connector and its tasks, once all run. */
  states(name: string): Promise<readonly string[]> {
    return until(`${name} runs`, async () => {
      const said = JSON.stringify(await this.ask('GET', `/connectors/${name}/status`));
      const states = [...said.matchAll(/"state":"(\w+)"/g)].map(([, state = '']) => state);
      return states.length === 2 && states.every((state) => state === 'RUNNING') ? states : undefined;
    });
  }

  async stop(): Promise<void> {
    await endProcess(this.#process);
  }

  async kill(): Promise<void> {
    await endProcess(this.#process, 'SIGKILL');
  }
}

/** A plugin path with the one jar of the file connectors; to look through all jars would take a minute. */
function plugins(classPath: string, work: string): string {
  const folder = join(work, 'plugins');
  const jar = join(dirname(classPath), `connect-file-${KAFKA_VERSION}.jar`);
  mkdirSync(join(folder, 'file'), { recursive: true });
  copyFileSync(jar, join(folder, 'file', basename(jar)));
  return folder;
}

const settings = (bootstrap: string, url: string, pluginPath: string): Record<string, string> => ({
  'bootstrap.servers': bootstrap,
  'group.id': 'workers',
  'key.converter': 'org.apache.kafka.connect.storage.StringConverter',
  'value.converter': 'org.apache.kafka.connect.storage.StringConverter',
  'config.storage.topic': 'connect-configs',
  'config.storage.replication.factor': '1',
  'offset.storage.topic': 'connect-offsets',
  'offset.storage.replication.factor': '1',
  'offset.storage.partitions': '3',
  'status.storage.topic': 'connect-status',
  'status.storage.replication.factor': '1',
  'offset.flush.interval.ms': '200',
  'exactly.once.source.support': 'enabled',
  'session.timeout.ms': '2000',
  'heartbeat.interval.ms': '300',
  'scheduled.rebalance.max.delay.ms': '0',
  'plugin.path': pluginPath,
  'plugin.discovery': 'service_load',
  listeners: url,
});

/** The committed lines of the topic, in their order. */
async function readCommitted(bootstrap: string, count: number): Promise<string[]> {
  const consumer = clientOf(bootstrap).consumer({
    groupId: 'reader',
    readUncommitted: false,
    maxWaitTimeInMs: 100,
  });
  const got: string[] = [];
  await consumer.connect();
  try {
    await consumer.subscribe({ topics: [TOPIC], fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message }) => {
        got.push(String(message.value));
      },
    });
    await until('all lines of the topic', () => (got.includes(`line ${count - 1}`) ? true : undefined));
  } finally {
    await consumer.disconnect();
  }
  return got;
}

/** Where the topic ends, records of open transactions included. */
const endOf = (bootstrap: string): Promise<number> =>
  withAdmin(bootstrap, async (admin) => {
    const offsets = await admin.fetchTopicOffsets(TOPIC);
    return offsets.reduce((sum, { high }) => sum + Number(high), 0);
  });

const groupsOf = (bootstrap: string): Promise<string[]> =>
  withAdmin(bootstrap, async (admin) => {
    const { groups } = await admin.listGroups();
    return groups.map(({ groupId, protocolType }) => `${groupId}: ${protocolType}`).sort();
  });

async function withAdmin<T>(bootstrap: string, use: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = clientOf(bootstrap).admin();
  await admin.connect();
  try {
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}

const clientOf = (bootstrap: string): Kafka =>
  new Kafka({ clientId: 'interop', brokers: [bootstrap], logLevel: logLevel.NOTHING });

await compareBrokers({
  title: 'Connect, exactly once',
  missing: await apacheMissing(),
  properties: {
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '1000',
    'offsets.topic.num.partitions': '5',
    'transaction.state.log.num.partitions': '5',
  },
  observe,
  expectations(seen) {
    expect(seen['each line once and in order']).toBe(true);
    expect(seen['lines that the sink has not got']).toEqual([]);
    expect(seen['groups']).toContain('workers: connect');
  },
});
