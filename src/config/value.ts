import type { Setting, SettingType, SettingValue } from './definition.ts';

/** A value as code wants it, and the text that shows it to clients (`null` is shown as null). */
export interface ParsedValue {
  readonly value: SettingValue;
  readonly text: string | null;
}

/** `problem` names the setting and its value, secrets left out; `allowed` is what it may be instead, for people. */
export type ParseResult =
  | { readonly ok: ParsedValue }
  | { readonly problem: string; readonly allowed: string };

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

/** Reads and checks the text of a setting, as Apache Kafka reads the same text. */
export function parseSetting(name: string, setting: Setting, text: string, dev = false): ParseResult {
  const read = parseText(setting.type, text);
  const parsed = checkOf(setting, dev)?.distinct === true ? withoutDuplicates(read) : read;
  const shown = setting.type === 'password' ? '[hidden]' : text;
  return checkedValue(`${name}=${shown}`, setting, parsed, dev);
}

/** The default of a setting, which may fail its check where Kafka insists on a value (`node.id`). */
export function defaultOf(name: string, setting: Setting, dev = false): ParseResult {
  if (setting.defaultText !== null) return parseSetting(name, setting, setting.defaultText, dev);
  return checkedValue(`${name} without a value`, setting, { value: null, text: null }, dev);
}

function checkedValue(
  what: string,
  setting: Setting,
  parsed: ParsedValue | undefined,
  dev: boolean,
): ParseResult {
  if (parsed !== undefined && checkOf(setting, dev)?.accepts(parsed.value) !== false) return { ok: parsed };
  return { problem: `${what} is not valid`, allowed: allowedText(setting, dev) };
}

function withoutDuplicates(parsed: ParsedValue | undefined): ParsedValue | undefined {
  if (parsed === undefined || !Array.isArray(parsed.value)) return parsed;
  const entries: readonly string[] = [...new Set(parsed.value)];
  return { value: entries, text: entries.join(',') };
}

function checkOf(setting: Setting, dev: boolean) {
  return dev && setting.devCheck !== undefined ? setting.devCheck : setting.check;
}

/** The value; undefined where the text is none of this type. */
function parseText(type: SettingType, text: string): ParsedValue | undefined {
  const trimmed = text.trim();
  switch (type) {
    case 'boolean': {
      const lower = trimmed.toLowerCase();
      if (lower !== 'true' && lower !== 'false') return undefined;
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

function parseInteger(type: 'short' | 'int' | 'long', text: string): ParsedValue | undefined {
  if (!/^[+-]?[0-9]+$/.test(text)) return undefined;
  const exact = BigInt(text.startsWith('+') ? text.slice(1) : text);
  if (BigInt.asIntN(Number(integerBits[type]), exact) !== exact) return undefined;
  return { value: clampToSafe(exact), text: exact.toString() };
}

function clampToSafe(exact: bigint): number {
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, Number(exact)));
}

function parseDouble(text: string): ParsedValue | undefined {
  const match =
    /^([+-]?)(?:(NaN)|(Infinity)|((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[fFdD]?)$/.exec(text);
  if (match === null) return undefined;
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
