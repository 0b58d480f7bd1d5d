import type { Setting, SettingType, SettingValue } from './definition.ts';

/** A value as code wants it, and the text that shows it to clients (`null` is shown as null). */
export interface ParsedValue {
  readonly value: SettingValue;
  readonly text: string | null;
}

export type ParseResult = { readonly ok: ParsedValue } | { readonly problem: string };

const integerBits = { short: 16n, int: 32n, long: 64n } as const;

const typeNames: Readonly<Record<SettingType, string>> = {
  boolean: 'true or false',
  string: 'a text',
  short: 'a whole number of 16 bits',
  int: 'a whole number of 32 bits',
  long: 'a whole number of 64 bits',
  double: 'a number',
  list: 'a list separated by commas',
  class: 'a class name',
  password: 'a secret text',
};

/** What a setting accepts, for people. */
export function allowedText(setting: Setting, dev: boolean): string {
  const check = checkOf(setting, dev);
  const type = typeNames[setting.type];
  return check === undefined ? type : `${type}, ${check.allowed}`;
}

/**
 * Reads and checks the text of a setting. A problem is the message that Apache Kafka gives for the same text, secrets
 * left out.
 */
export function parseSetting(name: string, setting: Setting, text: string, dev = false): ParseResult {
  const read = parseText(setting.type, text);
  const parsed = checkOf(setting, dev)?.distinct === true ? withoutDuplicates(read) : read;
  const shown = setting.type === 'password' ? '[hidden]' : text;
  if (typeof parsed === 'string') return { problem: invalidValue(name, shown, parsed) };
  return checkValue(name, setting, parsed, dev);
}

/** The default of a setting, which may fail its check where Kafka insists on a value (`node.id`). */
export function defaultOf(name: string, setting: Setting, dev = false): ParseResult {
  if (setting.defaultText !== null) return parseSetting(name, setting, setting.defaultText, dev);
  return checkValue(name, setting, { value: null, text: null }, dev);
}

function checkValue(name: string, setting: Setting, parsed: ParsedValue, dev: boolean): ParseResult {
  const check = checkOf(setting, dev);
  const problem = check?.problem(parsed.value, name);
  if (problem === undefined) return { ok: parsed };
  if (problem.whole === true) return { problem: problem.text };
  return { problem: invalidValue(name, javaText(parsed), problem.text) };
}

function withoutDuplicates(parsed: ParsedValue | string): ParsedValue | string {
  if (typeof parsed === 'string' || !Array.isArray(parsed.value)) return parsed;
  const entries: readonly string[] = [...new Set(parsed.value)];
  return { value: entries, text: entries.join(',') };
}

function checkOf(setting: Setting, dev: boolean) {
  return dev && setting.devCheck !== undefined ? setting.devCheck : setting.check;
}

function invalidValue(name: string, value: string, problem: string): string {
  return `Invalid value ${value} for configuration ${name}: ${problem}`;
}

const javaText = ({ value, text }: ParsedValue): string =>
  Array.isArray(value) ? `[${value.join(', ')}]` : String(text);

/** The value, or what is wrong with the text. */
function parseText(type: SettingType, text: string): ParsedValue | string {
  const trimmed = text.trim();
  switch (type) {
    case 'boolean': {
      const lower = trimmed.toLowerCase();
      if (lower !== 'true' && lower !== 'false') return 'Expected value to be either true or false';
      return { value: lower === 'true', text: lower };
    }
    case 'short':
    case 'int':
    case 'long':
      return parseInteger(type, trimmed);
    case 'double':
      return parseDouble(trimmed);
    case 'list': {
      const entries = trimmed === '' ? [] : trimmed.split(/\s*,\s*/);
      return { value: entries, text: entries.join(',') };
    }
    case 'string':
    case 'class':
    case 'password':
      return { value: trimmed, text: trimmed };
  }
}

function parseInteger(type: 'short' | 'int' | 'long', text: string): ParsedValue | string {
  const problem = `Not a number of type ${type.toUpperCase()}`;
  if (!/^[+-]?[0-9]+$/.test(text)) return problem;
  const exact = BigInt(text.startsWith('+') ? text.slice(1) : text);
  if (BigInt.asIntN(Number(integerBits[type]), exact) !== exact) return problem;
  return { value: clampToSafe(exact), text: exact.toString() };
}

function clampToSafe(exact: bigint): number {
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, Number(exact)));
}

function parseDouble(text: string): ParsedValue | string {
  const match =
    /^([+-]?)(?:(NaN)|(Infinity)|((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[fFdD]?)$/.exec(text);
  if (match === null) return 'Not a number of type DOUBLE';
  const value = Number(`${match[1] ?? ''}${match[2] ?? match[3] ?? match[4] ?? ''}`);
  return { value, text: javaDouble(value) };
}

/** A double as Java prints it: at least one digit behind the point, `E` from 10^7 up and below 10^-3. */
export function javaDouble(value: number): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return String(value);
  if (size === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  if (size >= 1e-3 && size < 1e7) return Number.isInteger(value) ? `${value}.0` : String(value);
  const [digits = '', exponent = '0'] = value.toExponential().split('e');
  return `${digits.includes('.') ? digits : `${digits}.0`}E${Number(exponent)}`;
}
