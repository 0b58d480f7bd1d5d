import { type ChildProcess, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { endProcess, isInstalled, PATIENCE_MS, runOk, until } from './run.ts';
import { metadata, metadataAnswer, RawConnection } from './wire.ts';

/** Apache Kafka from Maven Central: broker, clients and tools, kept in a cache folder outside of the repository. */

/** The benchmark runs this file from a bundle somewhere else, and says where the repository is. */
export const repository = (): string =>
  process.env['ODRADEK_ROOT'] ?? join(import.meta.dirname, '..', '..', '..');

const here = (name: string): string => join(repository(), 'test', 'interop', name);

export const KAFKA_VERSION =
  /<kafka\.version>(.*?)</.exec(readFileSync(here('apache/pom.xml'), 'utf8'))?.[1] ?? '';

/** Where downloads and builds of the interop tests live. */
export const cacheDir = (): string =>
  process.env['ODRADEK_INTEROP_CACHE'] ?? join(homedir(), '.cache', 'odradek-interop');

export const LOGGING = here('apache/log4j2.properties');

/** The last one that serves message formats 0 and 1 and the versions of requests that carry them. */
export const OLD_KAFKA_VERSION = '3.9.1';

/** Says why Apache Kafka can't be used here; undefined when it can. */
export async function apacheMissing(version = KAFKA_VERSION): Promise<string | undefined> {
  if (!(await isInstalled('java'))) return 'java (17 or newer) is not installed';
  if (existsSync(join(libsDir(version), '.complete'))) return undefined;
  return (await isInstalled('mvn'))
    ? undefined
    : 'mvn is not installed, and Apache Kafka is not in the cache';
}

const libsDir = (version: string): string => join(cacheDir(), `kafka-${version}`);

/** The class path of Apache Kafka; downloads it when it is not in the cache. */
export function apacheClassPath(version = KAFKA_VERSION): Promise<string> {
  return downloaded(libsDir(version), 'apache/pom.xml', [`-Dkafka.version=${version}`]);
}

/** The class path with the messages and records of some version of Apache Kafka; downloads it likewise. */
export function messageClassPath(version: string): Promise<string> {
  return ofProject('messages', version);
}

/** The class path of the Java clients of some version; downloads them likewise. */
export function clientsClassPath(version: string): Promise<string> {
  return ofProject('clients', version);
}

/** The class path of Kafka Streams of some version; downloads it likewise. */
export function streamsClassPath(version = KAFKA_VERSION): Promise<string> {
  return ofProject('streams', version);
}

/** The class path of Kafka Connect with its file connectors; downloads it likewise. */
export function connectClassPath(version = KAFKA_VERSION): Promise<string> {
  return ofProject('connect', version);
}

/** What the project file of this name depends on. */
function ofProject(name: string, version: string): Promise<string> {
  return downloaded(join(cacheDir(), `${name}-${version}`), `apache/${name}.xml`, [
    `-Dkafka.version=${version}`,
  ]);
}

async function downloaded(libs: string, pom: string, properties: readonly string[]): Promise<string> {
  if (!existsSync(join(libs, '.complete'))) {
    mkdirSync(cacheDir(), { recursive: true });
    const fresh = mkdtempSync(join(cacheDir(), '.kafka-'));
    const args = ['-q', '-B', '-f', here(pom), ...properties, 'dependency:copy-dependencies'];
    await runOk('mvn', [...args, '-DincludeScope=runtime', `-DoutputDirectory=${fresh}`], {
      timeoutMs: 600_000,
    });
    writeFileSync(join(fresh, '.complete'), '');
    rmSync(libs, { recursive: true, force: true });
    renameSync(fresh, libs);
  }
  return join(libs, '*');
}

/** What every JVM of the tests gets: quick to start, easy on memory. */
export const JVM_FLAGS = [
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Xshare:auto',
  '-Djava.awt.headless=true',
];

export interface ApacheOptions {
  readonly port: number;
  /** Another one than the newest. */
  readonly version?: string;
  /** Kept after `stop`; without it a temporary folder that `stop` removes. */
  readonly dataDir?: string;
  readonly properties?: Readonly<Record<string, string>>;
  /** Full JIT and G1, as `kafka-server-start` has it, for measurements. */
  readonly forBench?: boolean;
}

export interface RunningApache {
  readonly port: number;
  readonly bootstrap: string;
  /** log.dirs */
  readonly dataDir: string;
  readonly process: ChildProcess;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** The settings of one node for tests, understood by Apache Kafka and by this broker. */
export function serverProperties(
  port: number,
  dataDir: string,
  more: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const listeners = `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${port + 1}`;
  return {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.bootstrap.servers': `127.0.0.1:${port + 1}`,
    listeners,
    'advertised.listeners': listeners,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'log.dirs': dataDir,
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    ...more,
  };
}

/** One KRaft node, broker and controller, formatted when its folder is new. Resolves when it serves. */
export async function startApache(options: ApacheOptions): Promise<RunningApache> {
  const classPath = await apacheClassPath(options.version);
  const work = mkdtempSync(join(tmpdir(), 'odradek-apache-'));
  const dataDir = options.dataDir ?? join(work, 'data');
  const { port } = options;
  const properties = serverProperties(port, dataDir, options.properties);
  const file = join(work, 'server.properties');
  writeFileSync(
    file,
    Object.entries(properties)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  );
  const java = (flags: readonly string[], ...rest: string[]): string[] => [
    ...flags,
    `-Dlog4j2.configurationFile=${LOGGING}`,
    '-cp',
    classPath,
    ...rest,
  ];
  if (!existsSync(join(dataDir, 'meta.properties'))) {
    const id = Buffer.from(crypto.getRandomValues(new Uint8Array(16)))
      .toString('base64url')
      .replace(/^-/, 'A');
    const format = ['format', '-t', id, '-c', file, '--standalone'];
    await runOk('java', java(['-Xmx256M', ...JVM_FLAGS], 'kafka.tools.StorageTool', ...format));
  }
  const console = join(work, 'console.out');
  const output = openSync(console, 'a');
  const flags = options.forBench
    ? [
        '-Xmx1G',
        '-Xms1G',
        '-server',
        '-XX:+UseG1GC',
        '-XX:MaxGCPauseMillis=20',
        '-XX:InitiatingHeapOccupancyPercent=35',
      ]
    : ['-Xmx512M', '-Xms256M', ...JVM_FLAGS];
  const child = spawn('java', java(flags, 'kafka.Kafka', file), { stdio: ['ignore', output, output] });
  const killChild = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', killChild);
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    // Its folder goes with it, so nothing is lost; in order, it takes minutes after some of what the tools do to it.
    await endProcess(child, options.dataDir === undefined ? 'SIGKILL' : signal);
    process.off('exit', killChild);
    rmSync(work, { recursive: true, force: true });
  };
  try {
    await until('Apache Kafka to serve', async () => {
      if (child.exitCode !== null)
        throw new Error(`Apache Kafka ended: ${readFileSync(console, 'utf8').slice(-3000)}`);
      return (await serves(port)) ? true : undefined;
    });
  } catch (error) {
    await stop('SIGKILL');
    throw error;
  }
  return { port, bootstrap: `127.0.0.1:${port}`, dataDir, process: child, stop };
}

/** True when a broker answers there and lists itself. */
export async function serves(port: number): Promise<boolean> {
  try {
    const connection = await RawConnection.open(port);
    try {
      return metadataAnswer(await connection.ask(metadata([]), PATIENCE_MS)).brokers.length > 0;
    } finally {
      connection.close();
    }
  } catch {
    return false;
  }
}
