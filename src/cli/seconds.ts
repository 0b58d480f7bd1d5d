import { UsageError } from './usage-error.ts';

/** Milliseconds of a `--timeout` in seconds, fractions allowed. Throws {@link UsageError}. */
export function secondsOf(value: unknown, byDefault: number): number {
  if (value === undefined) return byDefault * 1000;
  if (!/^[0-9]+(\.[0-9]+)?$/.test(String(value))) {
    throw new UsageError(`--timeout takes seconds, not ${value}`);
  }
  return Number(value) * 1000;
}
