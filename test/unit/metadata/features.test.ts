import { expect, test } from 'vitest';
import {
  apiVersionsFeatures,
  metadataChangedBetween,
  metadataVersionLevel,
  metadataVersionName,
  partitionRecordVersion,
  registerBrokerRecordVersion,
  supportedFeatures,
  unmetDependency,
} from '../../../src/metadata/features.ts';

test.each([
  [7, '3.3-IV3', 1, 0],
  [8, '3.4-IV0', 2, 0],
  [17, '3.7-IV2', 3, 1],
  [23, '4.0-IV1', 3, 2],
  [30, '4.3-IV0', 4, 2],
])(
  'metadata.version %i is %s and asks for registrations v%i and partitions v%i',
  (level, name, broker, partition) => {
    expect(metadataVersionName(level)).toBe(name);
    expect(metadataVersionLevel(name)).toBe(level);
    expect(registerBrokerRecordVersion(level)).toBe(broker);
    expect(partitionRecordVersion(level)).toBe(partition);
  },
);

test('a release means its last level', () => {
  expect(metadataVersionLevel('4.0')).toBe(25);
  expect(metadataVersionLevel('2.8')).toBeUndefined();
});

test('only levels that changed the format stand in the way of a downgrade', () => {
  expect(metadataChangedBetween(29, 24)).toBe(false);
  expect(metadataChangedBetween(30, 29)).toBe(true);
  expect(metadataChangedBetween(25, 22)).toBe(true);
});

test('before ApiVersions v4 no feature is shown with a minimum of 0', () => {
  const supported = supportedFeatures(new Map([['group.version', 1]]));
  const finalized = {
    metadataVersion: 30,
    finalized: new Map([
      ['group.version', 1],
      ['share.version', 1],
    ]),
    epoch: 11,
  };
  expect(apiVersionsFeatures(supported, finalized, 3).supportedFeatures).toEqual([
    { name: 'metadata.version', minVersion: 7, maxVersion: 33 },
  ]);
  const full = apiVersionsFeatures(supported, finalized, 4, 1);
  expect(full.supportedFeatures.map((one) => one.name)).toEqual([
    'metadata.version',
    'kraft.version',
    'group.version',
  ]);
  expect(full.finalizedFeatures).toEqual([
    { name: 'group.version', maxVersionLevel: 1, minVersionLevel: 1 },
    { name: 'metadata.version', maxVersionLevel: 30, minVersionLevel: 30 },
    { name: 'kraft.version', maxVersionLevel: 1, minVersionLevel: 1 },
  ]);
  expect(full.finalizedFeaturesEpoch).toBe(11);
});

test('a feature waits for the metadata.version that it needs', () => {
  expect(unmetDependency('eligible.leader.replicas.version', 1, new Map([['metadata.version', 22]]))).toMatch(
    /needs metadata\.version 23/,
  );
  expect(
    unmetDependency('eligible.leader.replicas.version', 1, new Map([['metadata.version', 23]])),
  ).toBeUndefined();
});
