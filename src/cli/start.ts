import type { Logger } from '../base/ports.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import {
  advertisedWarnings,
  bootstrapServersOf,
  listenerLine,
  type OpenListener,
  type Resolve,
} from './banner.ts';
import type { StartOptions } from './node-options.ts';
import { type RunFile, removeRunFile, runFilePath, runningNode, writeRunFile } from './run-file.ts';

/** A node that serves, as `startNode` of the server room gives it. */
export interface StartedNode {
  readonly listeners: readonly OpenListener[];
  readonly clusterId: string;
  readonly nodeId: number;
  /** Settles, with the reason, where the node had to stop by itself. */
  readonly failed?: Promise<Error>;
  /** Drains and closes; what is on disk is marked clean. */
  stop(): Promise<void>;
}

export type StartNode = (options: {
  readonly config: BrokerConfig;
  readonly memory: boolean;
  readonly logger: Logger;
  /** Aborted by the first signal, which cuts a start short. */
  readonly stopping: AbortSignal;
}) => Promise<StartedNode>;

/** What the command needs of the process it runs in; tests put their own in its place. */
export interface StartEnvironment {
  readonly startNode: StartNode;
  readonly logger: Logger;
  /** Writes one line to the standard output. */
  print(line: string): void;
  /** Runs `stop` for SIGTERM and SIGINT; the name of the signal is told. */
  onSignal(stop: (signal: string) => void): void;
  /** Ends the process at once. */
  exit(code: number): void;
  /** Writes the ready line to a file descriptor and closes it. */
  announce(readyFd: number, line: string): void;
  /** Milliseconds since the process began. */
  uptimeMs(): number;
  readonly pid: number;
  readonly resolve?: Resolve;
}

const signalNumbers: Readonly<Record<string, number>> = { SIGINT: 2, SIGTERM: 15 };

/**
 * Runs one node until a signal stops it; resolves to the exit code. The first signal drains, and cuts short what a start
 * may take long for; the second one ends the process at once. While the node starts, the run file says so.
 */
export async function runNode(
  config: BrokerConfig,
  options: StartOptions,
  env: StartEnvironment,
): Promise<number> {
  const { logger } = env;
  let signal: string | undefined;
  const stopping = new AbortController();
  const stopped = stopRequest(env, (name) => {
    signal = name;
    stopping.abort();
  });
  for (const { level, message } of config.notices) logger[level](message);
  const other = options.memory ? undefined : runningNode(runFilePath(config, false));
  if (other !== undefined && other.pid !== env.pid) {
    logger.error(`${config.logDirs[0]} is in use by process ${other.pid}, which ${doingOf(other)}`);
    return 1;
  }
  // In memory there is nothing that takes long, and the name of the file comes with the port.
  const startingFile = options.memory ? undefined : runFilePath(config, false);
  if (startingFile !== undefined) writeRunFile(startingFile, '');
  let node: StartedNode;
  try {
    node = await env.startNode({ config, memory: options.memory, logger, stopping: stopping.signal });
  } catch (error) {
    if (startingFile !== undefined) removeRunFile(startingFile);
    if (signal !== undefined && error instanceof Error && error.name === 'StartInterruptedError') {
      logger.info(`${signal}: the start was cut short`);
      return 0;
    }
    reportFailure(error, options, logger);
    return 1;
  }
  const boundPort = node.listeners.find(({ advertised }) => advertised !== undefined)?.bound.port;
  const runFile = runFilePath(config, options.memory, boundPort);
  writeRunFile(runFile, bootstrapServersOf(node.listeners));
  if (signal === undefined) sayReady(node, options, env);
  const cause = await Promise.race([stopped, node.failed ?? stopped]);
  if (cause instanceof Error) reportFailure(cause, options, logger);
  else logger.info(`${cause}: shutting down`);
  const code = await stopNode(node, runFile, options, logger);
  return cause instanceof Error ? 1 : code;
}

function doingOf({ bootstrapServers }: RunFile): string {
  return bootstrapServers === '' ? 'is starting' : `serves ${bootstrapServers}`;
}

function stopRequest(env: StartEnvironment, asked: (signal: string) => void): Promise<string> {
  return new Promise((resolve) => {
    let isSecond = false;
    env.onSignal((signal) => {
      if (isSecond) env.exit(128 + (signalNumbers[signal] ?? 1));
      isSecond = true;
      asked(signal);
      resolve(signal);
    });
  });
}

function sayReady(node: StartedNode, options: StartOptions, env: StartEnvironment): void {
  const { logger } = env;
  for (const listener of node.listeners) logger.info(listenerLine(listener));
  const ready = JSON.stringify({
    event: 'ready',
    bootstrapServers: bootstrapServersOf(node.listeners),
    listeners: node.listeners.map(({ name, bound, advertised }) => ({
      name,
      bound,
      advertised: advertised ?? null,
    })),
    clusterId: node.clusterId,
    nodeId: node.nodeId,
    pid: env.pid,
    startMs: Math.round(env.uptimeMs()),
  });
  env.print(ready);
  logger.info('Kafka Server started');
  if (options.readyFd !== undefined) env.announce(options.readyFd, ready);
  advertisedWarnings(node.listeners, env.resolve).then(
    (warnings) => {
      for (const warning of warnings) logger.warn(warning);
    },
    (error: unknown) => logger.debug('The advertised addresses could not be checked', { error }),
  );
}

async function stopNode(
  node: StartedNode,
  runFile: string,
  options: StartOptions,
  logger: Logger,
): Promise<number> {
  try {
    await node.stop();
  } catch (error) {
    reportFailure(error, options, logger);
    return 1;
  } finally {
    removeRunFile(runFile);
  }
  logger.info('shut down completed');
  return 0;
}

/** The message alone; where it came from only for those who ask for details. */
function reportFailure(error: unknown, options: StartOptions, logger: Logger): void {
  const message = error instanceof Error ? error.message : String(error);
  if (options.logLevel === 'debug') logger.error(message, { error });
  else logger.error(message);
}
