import { readdirSync } from 'node:fs';
import type { AnyMessage } from '../../../src/protocol/schema.ts';

const SOURCE = new URL('../../../src/protocol/', import.meta.url);
const FOLDERS = [
  'messages',
  'metadata-records',
  'raft-messages',
  'group-records',
  'transaction-records',
  'share-records',
];

/** Every message schema in the tree, found by its files, so that a new one is tested without being listed. */
export async function allMessages(): Promise<readonly AnyMessage[]> {
  const found: AnyMessage[] = [];
  for (const folder of FOLDERS) {
    for (const file of readdirSync(new URL(`${folder}/`, SOURCE)).sort()) {
      const exported: Record<string, unknown> = await import(new URL(`${folder}/${file}`, SOURCE).href);
      for (const value of Object.values(exported)) if (isMessage(value)) found.push(value);
    }
  }
  return found;
}

export function versionsOf(schema: AnyMessage): readonly number[] {
  return Array.from(
    { length: schema.lastVersion - schema.firstVersion + 1 },
    (_, index) => schema.firstVersion + index,
  );
}

function isMessage(value: unknown): value is AnyMessage {
  return typeof value === 'object' && value !== null && 'codecs' in value && 'flexibleFrom' in value;
}
