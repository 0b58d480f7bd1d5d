import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { apacheClassPath, cacheDir, JVM_FLAGS, LOGGING } from './apache.ts';
import type { RunResult } from './run.ts';
import { endProcess, PATIENCE_MS, runOk } from './run.ts';

const TOOLS = 'org.apache.kafka.tools';

/** The class behind each of Kafka's scripts. */
const classes = {
  'kafka-acls': `${TOOLS}.AclCommand`,
  'kafka-broker-api-versions': `${TOOLS}.BrokerApiVersionsCommand`,
  'kafka-client-metrics': `${TOOLS}.ClientMetricsCommand`,
  'kafka-cluster': `${TOOLS}.ClusterTool`,
  'kafka-configs': 'kafka.admin.ConfigCommand',
  'kafka-console-consumer': `${TOOLS}.consumer.ConsoleConsumer`,
  'kafka-console-producer': `${TOOLS}.ConsoleProducer`,
  'kafka-consumer-groups': `${TOOLS}.consumer.group.ConsumerGroupCommand`,
  'kafka-consumer-perf-test': `${TOOLS}.ConsumerPerformance`,
  'kafka-console-share-consumer': `${TOOLS}.consumer.ConsoleShareConsumer`,
  'kafka-delete-records': `${TOOLS}.DeleteRecordsCommand`,
  'kafka-dump-log': `${TOOLS}.DumpLogSegments`,
  'kafka-features': `${TOOLS}.FeatureCommand`,
  'kafka-get-offsets': `${TOOLS}.GetOffsetShell`,
  'kafka-groups': `${TOOLS}.GroupsCommand`,
  'kafka-leader-election': `${TOOLS}.LeaderElectionCommand`,
  'kafka-log-dirs': `${TOOLS}.LogDirsCommand`,
  'kafka-metadata-quorum': `${TOOLS}.MetadataQuorumCommand`,
  'kafka-producer-perf-test': `${TOOLS}.ProducerPerformance`,
  'kafka-reassign-partitions': `${TOOLS}.reassign.ReassignPartitionsCommand`,
  'kafka-topics': `${TOOLS}.TopicCommand`,
  'kafka-transactions': `${TOOLS}.TransactionsCommand`,
} as const;

export type ToolName = keyof typeof classes;

interface Jvm {
  readonly process: ChildProcessWithoutNullStreams;
  /** The next line of its output; undefined when it ended, which the timeout makes it do. */
  line(timeoutMs: number): Promise<string | undefined>;
}

/** JVMs that run Kafka's tools one after the other; see java/ToolServer.java. One is enough unless a tool hangs. */
export class JavaTools {
  readonly #classPath: string;
  #jvm: Jvm | undefined;

  private constructor(classPath: string) {
    this.#classPath = classPath;
  }

  static async start(): Promise<JavaTools> {
    const classPath = await apacheClassPath();
    const source = join(import.meta.dirname, '..', 'java', 'ToolServer.java');
    const hash = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 12);
    const built = join(cacheDir(), `tool-server-${hash}`);
    if (!existsSync(join(built, '.complete'))) {
      mkdirSync(built, { recursive: true });
      await runOk('javac', ['-cp', classPath, '-d', built, source]);
      writeFileSync(join(built, '.complete'), '');
    }
    const tools = new JavaTools(`${built}:${classPath}`);
    tools.#jvm = await startJvm(tools.#classPath);
    return tools;
  }

  /** Runs one tool to its end. One that takes longer than the timeout is reported with status -1, and its JVM is ended. */
  async run(
    tool: ToolName,
    args: readonly string[],
    options: { input?: string; timeoutMs?: number } = {},
  ): Promise<RunResult> {
    this.#jvm ??= await startJvm(this.#classPath);
    const fields = [classes[tool], options.input ?? '', ...args].map((field) =>
      field === '' ? '-' : Buffer.from(field).toString('base64'),
    );
    const timeoutMs = options.timeoutMs ?? PATIENCE_MS;
    const answer = this.#jvm.line(timeoutMs);
    this.#jvm.process.stdin.write(`${fields.join(' ')}\n`);
    const line = await answer;
    if (line === undefined) {
      this.#jvm = undefined;
      return { code: -1, stdout: '', stderr: `${tool} was not done after ${timeoutMs} ms\n` };
    }
    const [code = '', stdout = '', stderr = ''] = line.split(' ');
    const text = (field: string): string => (field === '-' ? '' : Buffer.from(field, 'base64').toString());
    return { code: Number(code), stdout: text(stdout), stderr: text(stderr) };
  }

  async stop(): Promise<void> {
    const jvm = this.#jvm?.process;
    if (jvm === undefined) return;
    jvm.stdin.end();
    await endProcess(jvm, 'SIGTERM', 5000);
  }
}

async function startJvm(classPath: string): Promise<Jvm> {
  const flags = ['-Xmx512M', ...JVM_FLAGS, `-Dlog4j2.configurationFile=${LOGGING}`];
  const child = spawn('java', [...flags, '-cp', classPath, 'ToolServer']);
  const waiting: ((line: string | undefined) => void)[] = [];
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk).slice(-4000);
  });
  child.stdin.on('error', () => {}); // it may have ended
  createInterface({ input: child.stdout })
    .on('line', (line) => waiting.shift()?.(line))
    .on('close', () => {
      for (const waiter of waiting.splice(0)) waiter(undefined);
    });
  const line = (timeoutMs: number): Promise<string | undefined> =>
    new Promise((resolve) => {
      const timer = setTimeout(() => {
        child.kill('SIGKILL');
      }, timeoutMs);
      waiting.push((got) => {
        clearTimeout(timer);
        resolve(got);
      });
    });
  if ((await line(PATIENCE_MS)) !== 'ready') throw new Error(`the tools' JVM did not start: ${said}`);
  return { process: child, line };
}
