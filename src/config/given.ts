import { ConfigError, type Origin } from './config-error.ts';
import { isLegacy, legacyNotice } from './legacy.ts';
import type { Properties } from './properties.ts';

/** Something worth saying once at start. */
export interface Notice {
  readonly level: 'info' | 'warn';
  readonly message: string;
}

/** A setting that was written down somewhere, with the text as it stands there. */
export interface Given {
  readonly text: string;
  readonly origin: Origin;
}

export type Overrides = ReadonlyMap<string, string> | Readonly<Record<string, string>>;

const legacyAliases: readonly (readonly [legacy: string, name: string])[] = [['broker.id', 'node.id']];

/**
 * All settings of a file and of overrides, which beat the file. Names of older Kafka versions are turned into today's
 * or said to be ignored.
 */
export function gather(
  properties: Properties | undefined,
  overrides: Overrides,
  notices: Notice[],
): Map<string, Given> {
  const given = new Map<string, Given>();
  if (properties !== undefined) {
    for (const { key, value, line } of properties.entries) {
      given.set(key, { text: value, origin: { kind: 'file', file: properties.file, line } });
    }
    for (const [key, lines] of properties.duplicates()) {
      const message = `${properties.file}: ${key} stands on lines ${lines.join(' and ')}; the last one counts`;
      notices.push({ level: 'warn', message });
    }
  }
  const pairs = overrides instanceof Map ? overrides : Object.entries(overrides);
  for (const [key, text] of pairs) given.set(key, { text, origin: { kind: 'override' } });
  refuseReferences(given);
  applyAliases(given);
  for (const [name, { text }] of [...given]) {
    if (!isLegacy(name)) continue;
    notices.push(legacyNotice(name, text));
    if (name !== 'log.message.format.version') given.delete(name);
  }
  return given;
}

/** `${env:NAME}` and the like would reach the broker as they stand, which nobody means. */
function refuseReferences(given: ReadonlyMap<string, Given>): void {
  for (const [name, { text, origin }] of given) {
    const reference = /\$\{[a-zA-Z0-9_.-]+:[^}]*\}/.exec(text)?.[0];
    if (reference === undefined) continue;
    throw new ConfigError(`${name}=${reference}: references to config providers are not supported yet`, {
      setting: name,
      value: reference,
      allowed: 'the value itself, in the file or with --override',
      origin,
    });
  }
}

function applyAliases(given: Map<string, Given>): void {
  for (const [legacy, name] of legacyAliases) {
    const old = given.get(legacy);
    const current = given.get(name);
    if (old === undefined) {
      if (current !== undefined) given.set(legacy, current);
      continue;
    }
    if (legacy === 'broker.id' && old.text.trim() === '-1' && current === undefined) {
      given.delete(legacy);
      continue;
    }
    if (current === undefined) given.set(name, old);
    else if (old.text.trim() !== current.text.trim()) {
      throw new ConfigError(
        `${legacy} is ${old.text} but ${name} is ${current.text}: they name the same thing`,
        {
          setting: legacy,
          value: old.text,
          allowed: `only ${name}, or both with one value`,
          origin: old.origin,
        },
      );
    }
  }
}
