import type { SettingValue } from './definition.ts';

/** What a setting's value must satisfy beyond its type. */
export interface Check {
  /** For people, put behind the type: `at least 1`. */
  readonly allowed: string;
  /** What stands twice in a list is dropped before the check. */
  readonly distinct?: boolean;
  accepts(value: SettingValue): boolean;
}

/** Both ends inclusive; `null` values (nothing given, no default) pass only where the default is null too. */
export function range(min: number, max?: number): Check {
  return {
    allowed: max === undefined ? `at least ${min}` : `between ${min} and ${max}`,
    accepts: (value) =>
      value !== null && (value as number) >= min && (max === undefined || (value as number) <= max),
  };
}

export function oneOf(...names: readonly string[]): Check {
  return {
    allowed: `one of ${names.join(', ')}`,
    accepts: (value) => names.includes(value as string),
  };
}

export function oneOfIgnoringCase(...names: readonly string[]): Check {
  return {
    allowed: `one of ${names.join(', ')} (any case)`,
    accepts: (value) => value !== null && names.includes((value as string).toUpperCase()),
  };
}

export const nonEmpty: Check = { allowed: 'not empty', accepts: (value) => value !== '' };

export interface ListRules {
  readonly of?: readonly string[];
  readonly emptyAllowed?: boolean;
  readonly nullAllowed?: boolean;
}

/** A list without empty entries; duplicates are dropped. */
export function listRules(rules: ListRules): Check {
  const { of: names, emptyAllowed = false, nullAllowed = false } = rules;
  const entriesAllowed = names === undefined ? 'no empty entry' : `entries of ${names.join(', ')}`;
  return {
    allowed: emptyAllowed ? entriesAllowed : `at least one, ${entriesAllowed}`,
    distinct: true,
    accepts(value) {
      if (value === null) return nullAllowed;
      const entries = value as readonly string[];
      if (entries.length === 0) return emptyAllowed;
      return entries.every((entry) => entry !== '' && (names === undefined || names.includes(entry)));
    },
  };
}

/** gzip takes zlib's levels, or -1 for the library's own choice. */
export const gzipLevel: Check = {
  allowed: 'between 1 and 9, or -1',
  accepts: (value) => value === -1 || ((value as number) >= 1 && (value as number) <= 9),
};

/** `*`, or entries `partition:broker`; an empty list throttles nothing. */
export const throttledReplicas: Check = {
  allowed: '* or a list of partition:broker',
  accepts(value) {
    const entries = (value as readonly string[]).map((entry) => entry.trim());
    return entries.join('') === '*' || entries.every((entry) => /^([0-9]+:[0-9]+)?$/.test(entry));
  },
};
