import { expect, test } from 'vitest';
import type { Uuid } from '../../../src/base/uuid.ts';
import { MemoryStorage } from '../../../src/io/memory-storage.ts';
import {
  checkMetaProperties,
  parseMetaProperties,
  readMetaProperties,
  writeMetaProperties,
} from '../../../src/metadata/meta-properties.ts';
import { fixture } from './support.ts';

const properties = {
  clusterId: 'voUl4iK9KydOS1PmL8zrbg',
  nodeId: 1,
  directoryId: '_zabEJP4Rny-F7aSO-8j8g' as Uuid,
};

test('the file of an Apache Kafka node is understood', () => {
  expect(parseMetaProperties(fixture('meta.properties').toString(), 'x')).toEqual({
    version: 1,
    ...properties,
  });
});

test('what is written is read again', async () => {
  const storage = new MemoryStorage();
  storage.makeDir('/data');
  expect(readMetaProperties(storage, '/data')).toBeUndefined();
  await writeMetaProperties(storage, '/data', properties);
  expect(readMetaProperties(storage, '/data')).toEqual({ version: 1, ...properties });
});

test('a folder of another cluster stops the node with both ids, the file and the two ways out', () => {
  const found = { version: 1, ...properties };
  expect(() => checkMetaProperties(found, { clusterId: 'other', nodeId: 1 }, '/data')).toThrow(
    /cluster other.*\/data\/meta\.properties.*voUl4iK9KydOS1PmL8zrbg.*Either.*or/,
  );
  expect(() => checkMetaProperties(found, { clusterId: undefined, nodeId: 2 }, '/data')).toThrow(
    /node\.id is 2.*node 1/,
  );
  expect(() => checkMetaProperties(found, { clusterId: undefined, nodeId: 1 }, '/data')).not.toThrow();
});

test.each([
  ['version=2\ncluster.id=a\nnode.id=1', /newer/],
  ['version=1\nnode.id=1', /cluster.id is missing/],
  ['version=1\ncluster.id=a', /node.id is missing/],
  ['version=1\ncluster.id=a\nnode.id=x', /not a whole number/],
  ['version=1\ncluster.id=a\nnode.id=1\ndirectory.id=zz', /not a uuid/],
])('damage is named: %j', (text, message) => {
  expect(() => parseMetaProperties(text, '/data/meta.properties')).toThrow(message);
});
