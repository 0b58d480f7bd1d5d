import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MetadataImage } from '../../../src/metadata/image.ts';
import { MetadataLoader } from '../../../src/metadata/loader.ts';
import { decodeRecord, type MetadataRecord } from '../../../src/metadata/records.ts';
import {
  baseOffset,
  batchPositions,
  isControl,
  partitionLeaderEpoch,
  records,
} from '../../../src/protocol/record-batch/index.ts';

export const fixture = (name: string, folder = 'apache-4.3.1-single') =>
  readFileSync(join(import.meta.dirname, '../../fixtures/metadata', folder, name));

/** The data records of a log's bytes, batch by batch. */
export function dataBatches(
  bytes: Buffer,
): { baseOffset: number; epoch: number; entries: MetadataRecord[] }[] {
  const found = [];
  for (const at of batchPositions(bytes)) {
    if (isControl(bytes, at)) continue;
    const entries = Array.from(records(bytes, { at }), (one) => decodeRecord(one.value ?? new Uint8Array()));
    found.push({ baseOffset: baseOffset(bytes, at), epoch: partitionLeaderEpoch(bytes, at), entries });
  }
  return found;
}

export function imageOf(
  batches: Iterable<{ baseOffset: number; epoch: number; entries: readonly MetadataRecord[] }>,
): MetadataImage {
  const image = new MetadataImage();
  const loader = new MetadataLoader(image);
  for (const { entries, baseOffset, epoch } of batches) loader.load(entries, baseOffset, epoch);
  return image;
}

/** Everything that an image says, in an order of its own, for comparing. */
export function contents(image: MetadataImage) {
  const { metadataVersion, finalized } = image.features;
  const sorted = <V>(map: ReadonlyMap<string | number, V>) =>
    [...map].sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
  return {
    metadataVersion,
    finalized: sorted(finalized),
    topics: [...image.topicsById.values()]
      .map(({ name, id, partitions }) => ({ name, id, partitions: [...partitions] }))
      .sort((a, b) => (a.id < b.id ? -1 : 1)),
    names: sorted(image.topicsByName).map(([name, topic]) => [name, topic.id]),
    brokers: sorted(image.brokers),
    controllers: sorted(image.controllers),
    configs: [...image.configResources()]
      .map(({ type, name, values }) => [`${type}:${name}`, sorted(values)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
    quotas: sorted(image.clientQuotas).map(([key, { values }]) => [key, sorted(values)]),
    scram: sorted(image.scramCredentials),
    acls: sorted(image.acls),
    tokens: sorted(image.delegationTokens),
    nextProducerId: image.nextProducerId,
  };
}
