import { versions } from 'node:process';
import { setFlagsFromString } from 'node:v8';

export interface StartFlag {
  readonly name: string;
  readonly whileStarting: number;
  /** V8's own default, which it does not tell. */
  readonly afterwards: number;
}

// A start runs much code a few times and keeps most of what it makes. V8 would compile that code for hours of use, on
// threads that take the processors from the start, and would widen its young generation to 32 MiB, which it only gives back
// after half a minute.
const youngStays: StartFlag = { name: 'semi-space-growth-factor', whileStarting: 1, afterwards: 2 };
/** Bytes of bytecode that a function runs before it is looked at. V8 12 counts its calls instead. */
const compileLater: StartFlag = { name: 'interrupt-budget', whileStarting: 1_000_000, afterwards: 67_584 };

/** By the major version of V8, those of Node 20 and 22: on a flag that it does not know V8 writes to the standard error. */
const flagsByVersion: Readonly<Record<string, readonly StartFlag[]>> = {
  '11': [youngStays, compileLater],
  '12': [youngStays],
};

export const startFlagsOf = (version: string): readonly StartFlag[] =>
  flagsByVersion[version.split('.', 1)[0] ?? ''] ?? [];

/** Runs the start of a process that is a broker and nothing else: the flags are the whole process's. */
export async function withStartFlags<T>(
  start: () => Promise<T>,
  v8 = { version: versions.v8, set: setFlagsFromString },
): Promise<T> {
  const flags = startFlagsOf(v8.version);
  for (const { name, whileStarting } of flags) v8.set(`--${name}=${whileStarting}`);
  try {
    return await start();
  } finally {
    for (const { name, afterwards } of flags) v8.set(`--${name}=${afterwards}`);
  }
}
