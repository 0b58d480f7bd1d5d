import type { SettingValue } from './definition.ts';

/** What a setting's value must satisfy beyond its type. */
export interface Check {
  /** For people, put behind the type: `at least 1`. */
  readonly allowed: string;
  /** What stands twice in a list is dropped before the check. */
  readonly distinct?: boolean;
  /** Undefined where `value` is fine, else the words that follow `Invalid value … for configuration …: `. */
  problem(value: SettingValue, name: string): Problem | undefined;
}

/** `whole`: the text is the complete message, without the usual beginning. */
export interface Problem {
  readonly text: string;
  readonly whole?: boolean;
}

/** Both ends inclusive; `null` values (nothing given, no default) pass only where the default is null too. */
export function range(min: number, max?: number): Check {
  return {
    allowed: max === undefined ? `at least ${min}` : `between ${min} and ${max}`,
    problem(value) {
      if (value === null) return { text: 'Value must be non-null' };
      if ((value as number) < min) return { text: `Value must be at least ${min}` };
      if (max !== undefined && (value as number) > max) return { text: `Value must be no more than ${max}` };
      return undefined;
    },
  };
}

export function oneOf(...names: readonly string[]): Check {
  return {
    allowed: `one of ${names.join(', ')}`,
    problem: (value) =>
      names.includes(value as string) ? undefined : { text: `String must be one of: ${names.join(', ')}` },
  };
}

export function oneOfIgnoringCase(...names: readonly string[]): Check {
  return {
    allowed: `one of ${names.join(', ')} (any case)`,
    problem: (value) =>
      value !== null && names.includes((value as string).toUpperCase())
        ? undefined
        : { text: `String must be one of (case insensitive): ${names.join(', ')}` },
  };
}

export const nonEmpty: Check = {
  allowed: 'not empty',
  problem: (value) => (value === '' ? { text: 'String must be non-empty' } : undefined),
};

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
    problem(value, name) {
      if (value === null) {
        return nullAllowed ? undefined : whole(`Configuration '${name}' values must not be null.`);
      }
      const entries = value as readonly string[];
      if (entries.length === 0 && !emptyAllowed) {
        const valid = names === undefined ? 'any non-empty value' : `[${names.join(', ')}]`;
        return whole(`Configuration '${name}' must not be empty. Valid values include: ${valid}`);
      }
      for (const entry of entries) {
        if (entry === '') return whole(`Configuration '${name}' values must not be empty.`);
        if (names !== undefined && !names.includes(entry)) {
          return whole(
            `Invalid value ${entry} for configuration ${name}: String must be one of: ${names.join(', ')}`,
          );
        }
      }
      return undefined;
    },
  };
}

const whole = (text: string): Problem => ({ text, whole: true });

/** gzip takes zlib's levels, or -1 for the library's own choice. */
export const gzipLevel: Check = {
  allowed: 'between 1 and 9, or -1',
  problem: (value) =>
    value === -1 || ((value as number) >= 1 && (value as number) <= 9)
      ? undefined
      : { text: 'Value must be between 1 and 9 or equal to -1' },
};

/** `*`, or entries `partition:broker`; an empty list throttles nothing. */
export const throttledReplicas: Check = {
  allowed: '* or a list of partition:broker',
  problem(value, name) {
    const entries = (value as readonly string[]).map((entry) => entry.trim());
    if (entries.join('') === '*' || entries.every((entry) => /^([0-9]+:[0-9]+)?$/.test(entry)))
      return undefined;
    return {
      text: `${name} must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...`,
    };
  },
};
