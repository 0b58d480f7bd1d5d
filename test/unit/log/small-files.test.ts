import { expect, test } from 'vitest';
import { replaceSmallFile } from '../../../src/log/small-files.ts';
import { settle, World } from './fakes.ts';

test('a file that can get neither its name nor to the disk fails its caller once, and ends no process', async () => {
  const { storage } = new World();
  storage.makeDir('/data');
  storage.holdSyncs = true;
  storage.failing = { operation: 'rename', match: '/data/a' };
  expect(() => replaceSmallFile(storage, '/data/a', 'text')).toThrow(/rename/);
  expect(storage.openCount).toBe(1);
  storage.failing = { operation: 'sync', match: '/data/a' };
  storage.releaseSyncs();
  // What nobody handles fails the run.
  await settle();
  expect(storage.openCount).toBe(0);
});
