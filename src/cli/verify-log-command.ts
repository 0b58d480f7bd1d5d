import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { InlineBackground } from '../base/inline-background.ts';
import { type Logger, type Ports, type Storage, StorageError } from '../base/ports.ts';
import { BrokerConfig } from '../config/broker-config.ts';
import { Properties } from '../config/properties.ts';
import { realPorts } from '../io/index.ts';
import { type OverlayChange, OverlayStorage } from '../io/overlay-storage.ts';
import { MetaPropertiesError } from '../metadata/meta-properties.ts';
import { prepareCodec } from '../protocol/compression/index.ts';
import { ProtocolError } from '../protocol/errors.ts';
import { lockedDirOf, OfflineDirError, openOffline } from '../server/offline-log-dir.ts';
import { isSoundIndex } from './dump-log/indexes.ts';
import { verifyLogOptionTexts } from './help.ts';
import { UsageError } from './usage-error.ts';
import { type CheckedDir, needsWork, reportLines, segmentsRead } from './verify-log-report.ts';

/** What a check may write in memory: the indexes of all that is read again, a five-hundredth of it. */
const OVERLAY_BYTES_MAX = 1024 * 1024 * 1024;
const LOCK_FILE = '.lock';
const INDEX = /\.(index|timeindex)$/;
/** What is to be done was found, and not done. */
const WORK_LEFT = 2;

export interface VerifyLogEnvironment {
  readonly portsOf: (logger: Logger) => Ports;
  readonly print: (text: string) => void;
  readonly printError: (text: string) => void;
}

interface Options {
  readonly dir: string;
  readonly repair: boolean;
  readonly full: boolean;
  readonly kept: boolean;
  readonly config: BrokerConfig;
}

/** `broker verify-log`; resolves to 0 where nothing is to be done (any more), to 2 where something is, to 1 on failures. */
export function verifyLogCommand(args: readonly string[]): Promise<number> {
  return verifyLog(args, {
    portsOf: (logger) => realPorts({ logger }),
    print: (text) => process.stdout.write(text),
    printError: (text) => process.stderr.write(text),
  });
}

/** Rejects with UsageError, ConfigError or PropertiesSyntaxError. */
export async function verifyLog(args: readonly string[], environment: VerifyLogEnvironment): Promise<number> {
  const options = parse(args);
  // Batches are unfolded without waiting.
  await prepareCodec('zstd');
  try {
    return await underLock(options, environment);
  } catch (error) {
    if (!isExpected(error)) throw error;
    environment.printError(`${error.message}\n`);
    return 1;
  }
}

async function underLock(options: Options, environment: VerifyLogEnvironment): Promise<number> {
  const { dir, repair } = options;
  const ports = environment.portsOf(new Warnings());
  const locked = lockedDirOf({ dir, ports });
  const path = `${locked}/${LOCK_FILE}`;
  // Where no broker ever was, as in a copy of one folder, nothing is written for a look.
  const mustLock = ports.storage.sizeOf(path) !== undefined || (repair && locked === dir);
  const lock = mustLock ? ports.storage.lock(path) : undefined;
  if (mustLock && lock === undefined) {
    throw new OfflineDirError(`${locked} is in use: a broker holds ${path}; stop it first`);
  }
  try {
    return await checkAndRepair(options, environment);
  } finally {
    lock?.release();
  }
}

async function checkAndRepair(options: Options, environment: VerifyLogEnvironment): Promise<number> {
  const { dir, full, config } = options;
  const found = await check(options, environment);
  for (const line of reportLines(found)) environment.print(`${line}\n`);
  if (!needsWork(found)) return 0;
  if (!options.repair) {
    environment.print(`broker verify-log ${dir} --repair does it\n`);
    return WORK_LEFT;
  }
  const warnings = new Warnings();
  const ports = environment.portsOf(warnings);
  const logs = await openOffline({ dir, config, full, ports });
  await logs.close();
  const left = await check({ ...options, full: false, kept: false }, environment);
  if (!needsWork(left)) {
    environment.print(`${dir} is repaired\n`);
    return 0;
  }
  for (const line of warnings.lines) environment.printError(`${line}\n`);
  for (const line of reportLines(left)) environment.printError(`${line}\n`);
  return 1;
}

/** Has a start done to the directory in memory, and tells what came of it. */
async function check(
  { dir, full, kept, config }: Options,
  environment: VerifyLogEnvironment,
): Promise<CheckedDir> {
  const warnings = new Warnings();
  const below = environment.portsOf(warnings);
  const storage = new OverlayStorage(below.storage, dir, OVERLAY_BYTES_MAX);
  try {
    const ports = withStorage(below, storage);
    const logs = await openOffline({ dir, config, full, ports });
    const read = segmentsRead(below.storage, dir, storage);
    const keptLines = kept ? logs.kept() : [];
    await logs.close();
    const { wasClean, partitionCount, unknownTopics } = logs;
    const changes = withoutSpacing(below.storage, storage.changes());
    return {
      dir,
      wasClean,
      full,
      partitionCount,
      unknownTopics,
      changes,
      read,
      kept: keptLines,
      warnings: warnings.lines,
    };
  } finally {
    storage.close();
  }
}

/** An index whose entries are right may still differ: how far apart they are is a setting, which may have changed. */
function withoutSpacing(storage: Storage, changes: readonly OverlayChange[]): readonly OverlayChange[] {
  const paths = new Set(changes.map(({ path }) => path));
  return changes.filter((change) => {
    if (change.kind !== 'written' || change.isNew || !INDEX.test(change.path)) return true;
    if (paths.has(change.path.replace(INDEX, '.log'))) return true;
    return !isSoundIndex(storage, change.path);
  });
}

/** Timers never fire: what a running broker would do later is not part of a start. */
function withStorage(ports: Ports, storage: Storage): Ports {
  const timers = { after: () => ({ cancel: () => {} }) };
  const { clock, turn } = ports;
  return {
    ...ports,
    storage,
    timers,
    background: new InlineBackground({ storage, clock, turn, timers: ports.timers }),
  };
}

function parse(args: readonly string[]): Options {
  const { values, positionals } = parsed(args);
  const [dir, ...more] = positionals;
  if (dir === undefined || more.length > 0) {
    throw new UsageError('verify-log takes one directory: a log dir, or the folder of a partition');
  }
  const path = resolve(dir);
  return {
    dir: path,
    repair: values.repair === true,
    full: values.full === true,
    kept: values.kept === true,
    config: BrokerConfig.parse({
      properties: values.config === undefined ? undefined : propertiesIn(values.config),
      profile: 'kafka',
      dataDir: path,
    }),
  };
}

function parsed(args: readonly string[]) {
  const { repair, full, kept, config } = verifyLogOptionTexts;
  const options = {
    repair: { type: repair.type },
    full: { type: full.type },
    kept: { type: kept.type },
    config: { type: config.type },
  };
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function propertiesIn(file: string): Properties {
  try {
    return Properties.parse(readFileSync(file, 'utf8'), file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    throw new UsageError(`Can't read ${file}: ${(error as Error).message}`);
  }
}

const isExpected = (error: unknown): error is Error =>
  [OfflineDirError, MetaPropertiesError, ProtocolError, StorageError].some((kind) => error instanceof kind);

/** Keeps what is said from warnings on, with the numbers beside it. */
class Warnings implements Logger {
  readonly lines: string[] = [];

  debug(): void {}

  info(): void {}

  warn(message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    const more = Object.entries(fields).map(([name, value]) => `${name}: ${value}`);
    this.lines.push(more.length === 0 ? message : `${message} (${more.join(', ')})`);
  }

  error(message: string, fields?: Readonly<Record<string, unknown>>): void {
    this.warn(message, fields);
  }

  child(): Logger {
    return this;
  }
}
