import type { Check } from './checks.ts';

export type SettingType =
  | 'boolean'
  | 'string'
  | 'int'
  | 'short'
  | 'long'
  | 'double'
  | 'list'
  | 'class'
  | 'password';

export type SettingValue = boolean | number | string | readonly string[] | null;

/** Who may change a setting of a running broker, through IncrementalAlterConfigs (KIP-226). */
export type DynamicMode = 'read-only' | 'per-broker' | 'cluster-wide';

declare const valueType: unique symbol;

/** One setting, declared once; `T` is what `get` returns for it. */
export interface Setting<T extends SettingValue = SettingValue> {
  readonly type: SettingType;
  /** As it would stand in a file; null where nothing stands for "not given". */
  readonly defaultText: string | null;
  readonly check: Check | undefined;
  /** Replaces `check` under the profile `dev`, which allows what tests want and production should not. */
  readonly devCheck: Check | undefined;
  readonly dynamic: DynamicMode;
  /** Kafka keeps it for its own tests: accepted, shown only when it was given. */
  readonly internal: boolean;
  /** Whether this broker acts on it already. A setting without effect is accepted, and said once at start. */
  readonly effective: boolean;
  readonly doc: string;
  readonly [valueType]?: T;
}

export type ValueOf<S> = S extends Setting<infer T> ? T : never;

export interface SettingOptions {
  readonly doc: string;
  readonly check?: Check;
  readonly devCheck?: Check;
  readonly dynamic?: DynamicMode;
  readonly internal?: boolean;
  readonly effective?: boolean;
}

/** Kafka's Long.MAX_VALUE, which many settings use for "no limit"; as a number it reads {@link Number.MAX_SAFE_INTEGER}. */
export const LONG_MAX = '9223372036854775807';

type NumberOr<D> = D extends null ? number | null : number;
type StringOr<D> = D extends null ? string | null : string;

function setting<T extends SettingValue>(
  type: SettingType,
  defaultText: string | null,
  options: SettingOptions,
): Setting<T> {
  return {
    type,
    defaultText,
    check: options.check,
    devCheck: options.devCheck,
    dynamic: options.dynamic ?? 'read-only',
    internal: options.internal ?? false,
    effective: options.effective ?? false,
    doc: options.doc,
  };
}

const textOf = (value: number | string | null): string | null => (value === null ? null : String(value));

export const boolean = (byDefault: boolean, options: SettingOptions): Setting<boolean> =>
  setting('boolean', String(byDefault), options);

export const int = <const D extends number | null>(
  byDefault: D,
  options: SettingOptions,
): Setting<NumberOr<D>> => setting('int', textOf(byDefault), options);

export const short = <const D extends number | null>(
  byDefault: D,
  options: SettingOptions,
): Setting<NumberOr<D>> => setting('short', textOf(byDefault), options);

/** `byDefault` is a text where it exceeds 2^53. */
export const long = <const D extends number | string | null>(
  byDefault: D,
  options: SettingOptions,
): Setting<NumberOr<D>> => setting('long', textOf(byDefault), options);

/** `byDefault` as Java prints it: `0.5`, `1.0`. */
export const double = (byDefault: string, options: SettingOptions): Setting<number> =>
  setting('double', byDefault, options);

export const string = <const D extends string | null>(
  byDefault: D,
  options: SettingOptions,
): Setting<StringOr<D>> => setting('string', byDefault, options);

/** A Java class name; it is kept as text, for nothing can load it here. */
export const className = <const D extends string | null>(
  byDefault: D,
  options: SettingOptions,
): Setting<StringOr<D>> => setting('class', byDefault, options);

/** Never shown, neither to clients nor in errors. */
export const password = (options: SettingOptions): Setting<string | null> =>
  setting('password', null, options);

/** Comma separated; `''` is the empty list. */
export const list = <const D extends string | null>(
  byDefault: D,
  options: SettingOptions,
): Setting<D extends null ? readonly string[] | null : readonly string[]> =>
  setting('list', byDefault, options);
