import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const path = (name: string): string => join(import.meta.dirname, '..', '..', 'fixtures', 'golden', name);

/** True when the run is meant to write down what Apache Kafka answers (UPDATE_GOLDEN=1). */
export const updatesGolden = (): boolean => process.env['UPDATE_GOLDEN'] === '1';

export function readGolden<T>(name: string): T {
  return JSON.parse(readFileSync(path(name), 'utf8')) as T;
}

export function writeGolden(name: string, value: unknown): void {
  writeFileSync(path(name), `${JSON.stringify(value, undefined, 1)}\n`);
}
