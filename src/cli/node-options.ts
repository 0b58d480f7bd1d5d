import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import { BrokerConfig } from '../config/broker-config.ts';
import { type Profile, profiles } from '../config/profiles.ts';
import { Properties } from '../config/properties.ts';
import { type LogFormat, type LogLevel, logFormats, logLevels } from './logger.ts';
import { UsageError } from './usage-error.ts';

/** What all commands about one node on this machine understand. */
export interface NodeOptions {
  readonly file: string | undefined;
  readonly overrides: ReadonlyMap<string, string>;
  readonly port: number | undefined;
  readonly dataDir: string | undefined;
  readonly memory: boolean;
  readonly profile: Profile | undefined;
}

export interface StartOptions extends NodeOptions {
  readonly daemon: boolean;
  readonly logFormat: LogFormat | undefined;
  readonly logLevel: LogLevel;
  /** A file descriptor that gets the ready line too, for whoever started this process. */
  readonly readyFd: number | undefined;
}

/** The options that {@link parseStartOptions} and the help know, in the order of the help. */
export const nodeOptionTexts = {
  override: {
    type: 'string',
    multiple: true,
    text: 'Set one setting, name=value; beats the file. May be repeated',
  },
  port: {
    type: 'string',
    multiple: false,
    text: 'Port of the first listener for clients; 0 takes a free one',
  },
  'data-dir': { type: 'string', multiple: false, text: 'Directory for all data, instead of log.dirs' },
  memory: { type: 'boolean', multiple: false, text: 'Keep all data in memory, and forget it at the end' },
  profile: {
    type: 'string',
    multiple: false,
    text: 'Defaults: kafka (with a file) or dev (without one, or with --memory)',
  },
} as const;

export const startOptionTexts = {
  ...nodeOptionTexts,
  daemon: {
    type: 'boolean',
    multiple: false,
    text: 'Run in the background; returns once the broker is ready',
  },
  'log-format': {
    type: 'string',
    multiple: false,
    text: 'json, kafka or pretty (the default on a terminal)',
  },
  'log-level': { type: 'string', multiple: false, text: 'debug, info, warn or error' },
  'ready-fd': { type: 'string', multiple: false, text: 'File descriptor that gets the ready line too' },
} as const;

type Texts = Readonly<Record<string, { readonly type: 'string' | 'boolean'; readonly multiple: boolean }>>;
type Value = string | boolean | readonly string[] | undefined;
type Values = ReadonlyMap<string, Value>;

/** Throws {@link UsageError}. */
export function parseStartOptions(args: readonly string[]): StartOptions {
  // kafka-server-start.sh takes it with one dash.
  const kafkaStyle = args.map((arg) => (arg === '-daemon' ? '--daemon' : arg));
  const { values, files } = parse(kafkaStyle, startOptionTexts);
  return {
    ...nodeOptionsOf(values, files),
    daemon: values.get('daemon') === true,
    logFormat: choice('--log-format', values.get('log-format'), logFormats),
    logLevel: choice('--log-level', values.get('log-level'), logLevels) ?? 'info',
    readyFd: wholeNumber('--ready-fd', values.get('ready-fd'), 2 ** 31 - 1),
  };
}

/** The options of a command that only asks after a node; `more` are its own. Throws {@link UsageError}. */
export function parseNodeOptions(
  args: readonly string[],
  more: Texts,
): { options: NodeOptions; values: Values } {
  const { values, files } = parse(args, { ...nodeOptionTexts, ...more });
  return { options: nodeOptionsOf(values, files), values };
}

function parse(args: readonly string[], texts: Texts): { values: Values; files: readonly string[] } {
  const options = Object.fromEntries(
    Object.entries(texts).map(([name, { type, multiple }]) => [name, { type, multiple }]),
  );
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options,
      allowPositionals: true,
      strict: true,
    });
    return { values: new Map(Object.entries(values) as [string, Value][]), files: positionals };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function nodeOptionsOf(values: Values, files: readonly string[]): NodeOptions {
  if (files.length > 1) throw new UsageError(`One properties file at most, not ${files.join(' and ')}`);
  return {
    file: files[0],
    overrides: overridesOf((values.get('override') as readonly string[] | undefined) ?? []),
    port: wholeNumber('--port', values.get('port'), 65535),
    dataDir: values.get('data-dir') as string | undefined,
    memory: values.get('memory') === true,
    profile: choice('--profile', values.get('profile'), profiles),
  };
}

function overridesOf(pairs: readonly string[]): Map<string, string> {
  const overrides = new Map<string, string>();
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    if (equals < 1) throw new UsageError(`--override takes name=value, not ${pair}`);
    overrides.set(pair.slice(0, equals).trim(), pair.slice(equals + 1));
  }
  return overrides;
}

function wholeNumber(option: string, value: Value, most: number): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (!/^[0-9]+$/.test(String(value)) || number > most) {
    throw new UsageError(`${option} takes a whole number up to ${most}, not ${value}`);
  }
  return number;
}

function choice<T extends string>(option: string, value: Value, of: readonly T[]): T | undefined {
  if (value === undefined) return undefined;
  const found = of.find((one) => one === value);
  if (found === undefined) throw new UsageError(`${option} takes ${of.join(', ')}, not ${value}`);
  return found;
}

/** Reads the file, if any, and all settings. Throws ConfigError, PropertiesSyntaxError or {@link UsageError}. */
export function loadConfig(options: NodeOptions): BrokerConfig {
  return BrokerConfig.parse({
    properties: options.file === undefined ? undefined : readProperties(options.file),
    overrides: options.overrides,
    profile: options.profile ?? (options.memory ? 'dev' : undefined),
    hostName: options.file === undefined ? 'localhost' : hostname(),
    port: options.port,
    dataDir: options.dataDir,
  });
}

function readProperties(file: string): Properties {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(
      `Can't read ${file}: ${code === 'ENOENT' ? 'there is no such file' : (error as Error).message}`,
    );
  }
  return Properties.parse(text, file);
}
