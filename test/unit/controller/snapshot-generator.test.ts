import { expect, test } from 'vitest';
import { SnapshotGenerator } from '../../../src/controller/snapshot-generator.ts';
import { MetadataImage } from '../../../src/metadata/image.ts';
import { MetadataLoader } from '../../../src/metadata/loader.ts';
import { type MetadataRecord, record } from '../../../src/metadata/records.ts';
import { quiet } from '../raft/support.ts';

function setUp(maxBytesBetween: number, maxIntervalMs: number) {
  const image = new MetadataImage();
  let now = 0;
  let offset = 0;
  const written: number[] = [];
  const generator = new SnapshotGenerator({
    sink: {
      lastCommittedTimestampMs: 0,
      writeSnapshot: async (id) => {
        written.push(id.endOffset);
      },
    },
    image: () => image,
    logger: quiet,
    nowMs: () => now,
    maxBytesBetween,
    maxIntervalMs,
  });
  const commit = async (sizeInBytes: number, afterMs = 0, more = false) => {
    now += afterMs;
    await commitAll([record('NoOpRecord', 0, {})], sizeInBytes, more);
  };
  const loader = new MetadataLoader(image);
  const commitAll = async (entries: MetadataRecord[], sizeInBytes: number, more = false) => {
    loader.load(entries, offset, 1);
    const baseOffset = offset;
    offset += entries.length;
    generator.onCommit({ baseOffset, epoch: 1, entries, sizeInBytes }, more);
    await generator.idle();
  };
  return { commit, commitAll, written };
}

test('a snapshot follows so many bytes of records', async () => {
  const { commit, written } = setUp(100, 0);
  for (let n = 0; n < 5; n++) await commit(50);
  expect(written).toEqual([2, 4]);
});

test('a snapshot follows an hour in which something changed', async () => {
  const { commit, written } = setUp(1e9, 3_600_000);
  await commit(1);
  await commit(1, 3_599_999);
  expect(written).toEqual([]);
  await commit(1, 1);
  await commit(1, 10);
  expect(written).toEqual([3]);
});

test('none is taken between the batches of one commit', async () => {
  const { commit, written } = setUp(10, 0);
  await commit(50, 0, true);
  expect(written).toEqual([]);
  await commit(1);
  expect(written).toEqual([2]);
});

test('none is taken within a metadata transaction', async () => {
  const { commitAll, written } = setUp(10, 0);
  const noOp = record('NoOpRecord', 0, {});
  await commitAll([noOp, record('BeginTransactionRecord', 0, {})], 50);
  await commitAll([noOp], 50);
  expect(written).toEqual([]);
  await commitAll([record('AbortTransactionRecord', 0, {}), noOp], 50);
  expect(written).toEqual([5]);
});
