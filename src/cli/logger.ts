import type { LogFields, Logger } from '../base/ports.ts';

export type LogFormat = 'json' | 'kafka' | 'pretty';
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export const logFormats: readonly LogFormat[] = ['json', 'kafka', 'pretty'];
export const logLevels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

export interface LoggerOptions {
  readonly format: LogFormat;
  readonly level: LogLevel;
  /** Takes one line, its end included. */
  readonly write: (line: string) => void;
  readonly now?: () => Date;
}

/**
 * A logger that hands over whole lines at once, without a thread of its own: none is left behind when the process ends
 * by itself. pino is loaded for `json` only, for it costs memory that the other layouts have no use for.
 */
export async function createLogger(options: LoggerOptions): Promise<Logger> {
  const now = options.now ?? (() => new Date());
  if (options.format !== 'json') return new LineLogger({ ...options, now }, undefined);
  const { pino } = await import('pino');
  const settings = {
    level: options.level,
    base: null,
    timestamp: () => `,"time":"${now().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return new PinoLogger(pino(settings, { write: options.write }));
}

type Write = (level: LogLevel, message: string, fields: LogFields | undefined) => void;

abstract class BaseLogger {
  protected abstract readonly put: Write;

  debug(message: string, fields?: LogFields): void {
    this.put('debug', message, fields);
  }
  info(message: string, fields?: LogFields): void {
    this.put('info', message, fields);
  }
  warn(message: string, fields?: LogFields): void {
    this.put('warn', message, fields);
  }
  error(message: string, fields?: LogFields): void {
    this.put('error', message, fields);
  }
}

interface PinoLike {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(bindings: { logger: string }): PinoLike;
}

class PinoLogger extends BaseLogger implements Logger {
  readonly #pino: PinoLike;
  protected readonly put: Write;

  constructor(pino: PinoLike) {
    super();
    this.#pino = pino;
    this.put = (level, message, fields) =>
      pino[level](fields === undefined ? {} : plainFields(fields), message);
  }

  child(name: string): Logger {
    return new PinoLogger(this.#pino.child({ logger: name }));
  }
}

const plainFields = (fields: LogFields) =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, plainValue(value)]));

/** JSON knows neither errors nor big integers. */
function plainValue(value: unknown): unknown {
  if (value instanceof Error) return value.stack ?? String(value);
  return typeof value === 'bigint' ? value.toString() : value;
}

interface LineOptions extends LoggerOptions {
  readonly now: () => Date;
}

class LineLogger extends BaseLogger implements Logger {
  readonly #options: LineOptions;
  protected readonly put: Write;

  constructor(options: LineOptions, name: string | undefined) {
    super();
    this.#options = options;
    const least = logLevels.indexOf(options.level);
    const layout = options.format === 'kafka' ? kafkaLine : prettyLine;
    this.put = (level, message, fields) => {
      if (logLevels.indexOf(level) < least) return;
      options.write(`${layout(options.now(), level, message + fieldsText(fields), name)}\n`);
    };
  }

  child(name: string): Logger {
    return new LineLogger(this.#options, name);
  }
}

/** ` name=value …`; errors come last, with their stack on lines of its own. */
function fieldsText(fields: LogFields | undefined): string {
  if (fields === undefined) return '';
  let text = '';
  let stacks = '';
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    if (value instanceof Error) stacks += `\n${value.stack ?? String(value)}`;
    else text += ` ${name}=${valueText(value)}`;
  }
  return text + stacks;
}

function valueText(value: unknown): string {
  if (typeof value === 'object' && value !== null) {
    return JSON.stringify(value, (_, part: unknown) => plainValue(part));
  }
  return String(value);
}

const two = (value: number) => String(value).padStart(2, '0');

function clockText(at: Date): string {
  const ms = String(at.getMilliseconds()).padStart(3, '0');
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())},${ms}`;
}

/** The layout that scripts written for Apache Kafka look for. */
function kafkaLine(at: Date, level: LogLevel, message: string, name: string | undefined): string {
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `[${day} ${clockText(at)}] ${level.toUpperCase()} ${message} (${name ?? 'odradek'})`;
}

const colours: Readonly<Record<LogLevel, string>> = { debug: '90', info: '32', warn: '33', error: '31' };

function prettyLine(at: Date, level: LogLevel, message: string, name: string | undefined): string {
  const from = name === undefined ? '' : ` \u001b[90m${name}\u001b[0m`;
  const label = `\u001b[${colours[level]}m${level.toUpperCase().padEnd(5)}\u001b[0m`;
  return `\u001b[90m${clockText(at)}\u001b[0m ${label}${from} ${message}`;
}
