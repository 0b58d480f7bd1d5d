import { closeSync, writeSync } from 'node:fs';
import type { BrokerConfig } from '../config/broker-config.ts';
import { StartFlags } from '../io/start-flags.ts';
import { startNode } from '../server/main.ts';
import { daemonLogFile, startDaemon } from './daemon.ts';
import { createLogger, type LogFormat } from './logger.ts';
import { loadConfig, parseStartOptions, type StartOptions } from './node-options.ts';
import { runNode, type StartEnvironment } from './start.ts';

/** `broker start`; resolves to the exit code once the node has stopped. */
export async function startCommand(args: readonly string[]): Promise<number> {
  const options = parseStartOptions(args);
  const config = loadConfig(options);
  if (options.daemon) return startInBackground(args, config, options);
  const code = await runNode(config, options, await processEnvironment(options));
  // What a library has left open must not keep a stopped broker alive.
  process.exit(code);
}

async function startInBackground(
  args: readonly string[],
  config: BrokerConfig,
  options: StartOptions,
): Promise<number> {
  const logFile = daemonLogFile(config, options.memory, process.pid);
  const { readyLine } = await startDaemon(process.argv[1] ?? '', args, logFile);
  if (readyLine === undefined) {
    process.stderr.write(`The broker did not start; see ${logFile}\n`);
    return 1;
  }
  process.stdout.write(`${readyLine}\n`);
  return 0;
}

/** Waiting lines that are written at once. */
const WAITING_CHARS_MAX = 65_536;

/** Takes lines and writes those of one tick together; none is left behind when the process ends by itself. */
function standardOutput(): (line: string) => void {
  let waiting = '';
  const flush = (): void => {
    if (waiting === '') return;
    process.stdout.write(waiting);
    waiting = '';
  };
  process.on('exit', flush);
  return (line) => {
    if (waiting === '') setImmediate(flush);
    waiting += line;
    if (waiting.length > WAITING_CHARS_MAX) flush();
  };
}

async function processEnvironment(options: StartOptions): Promise<StartEnvironment> {
  const write = standardOutput();
  const byDefault: LogFormat = process.stdout.isTTY ? 'pretty' : 'kafka';
  const logger = await createLogger({
    format: options.logFormat ?? byDefault,
    level: options.logLevel,
    write,
  });
  process.on('uncaughtException', (error) => {
    logger.error('A bug ends this process', { error });
    process.exit(1);
  });
  const startFlags = new StartFlags();
  return {
    startNode: (start) => startFlags.during(() => startNode({ ...start, startFlags })),
    logger,
    print: (line) => write(`${line}\n`),
    onSignal: (stop) => {
      process.on('SIGTERM', stop);
      process.on('SIGINT', stop);
    },
    exit: (code) => process.exit(code),
    announce: (readyFd, line) => {
      writeSync(readyFd, `${line}\n`);
      closeSync(readyFd);
    },
    uptimeMs: () => performance.now(),
    pid: process.pid,
  };
}
