import { expect, test } from 'vitest';
import { decodeRecord, encodeRecord, record } from '../../../src/metadata/records.ts';
import { batchPositions, isControl, records } from '../../../src/protocol/record-batch/index.ts';
import { dataBatches, fixture } from './support.ts';

test('what Apache Kafka wrote is encoded to the same bytes again', () => {
  const log = fixture('00000000000000000000.log');
  let count = 0;
  for (const at of batchPositions(log)) {
    if (isControl(log, at)) continue;
    for (const one of records(log, { at })) {
      const value = Buffer.from(one.value ?? []);
      expect(encodeRecord(decodeRecord(value)).equals(value)).toBe(true);
      count++;
    }
  }
  expect(count).toBe(270);
  expect(dataBatches(log).length).toBeGreaterThan(200);
});

test('the frame is version 1, record type, record version', () => {
  const bytes = encodeRecord(record('FeatureLevelRecord', 0, { name: 'metadata.version', featureLevel: 30 }));
  expect(bytes.toString('hex')).toBe(`010c0011${Buffer.from('metadata.version').toString('hex')}001e00`);
});

test.each([
  ['an unknown frame', '020c00', /frame version 2/],
  ['an unknown type', '017f00', /unknown type 127/],
  ['an unknown version', '010c09', /FeatureLevelRecord in version 9/],
  ['nothing', '', /cut short/],
  ['a body cut short', '010c0011', /FeatureLevelRecord v0 cannot be read/],
  ['an endless number', 'ffffffffff', /overlong/],
])('%s is refused with a name', (_, hex, message) => {
  expect(() => decodeRecord(Buffer.from(hex, 'hex'))).toThrow(message);
});
