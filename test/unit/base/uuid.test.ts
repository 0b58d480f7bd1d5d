import { expect, test } from 'vitest';
import { isUuid, METADATA_TOPIC_ID, type Uuid, uuidFromBytes, uuidToBytes } from '../../../src/base/uuid.ts';

/** 16 bytes of which every value of every bit comes up: a small generator, so that a failure names its input. */
function* someBytes(count: number): Generator<Buffer> {
  let state = 1;
  for (let i = 0; i < count; i++) {
    const bytes = Buffer.alloc(16);
    for (let at = 0; at < 16; at++) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      bytes[at] = state >>> 16;
    }
    yield bytes;
  }
}

test('a uuid has the text of base64url, and the bytes come back from it', () => {
  for (const bytes of [Buffer.alloc(16), Buffer.alloc(16, 0xff), ...someBytes(500)]) {
    const uuid = uuidFromBytes(bytes, 0);
    expect(uuid).toBe(bytes.toString('base64url'));
    expect(isUuid(uuid)).toBe(true);
    const into = Buffer.alloc(20, 7);
    uuidToBytes(uuid, into, 3);
    expect(into).toEqual(Buffer.concat([Buffer.alloc(3, 7), bytes, Buffer.alloc(1, 7)]));
  }
});

test.each([
  '',
  'AAAA',
  'AAAAAAAAAAAAAAAAAAAAA',
  'AAAAAAAAAAAAAAAAAAAAAAA',
  'AAAAAAAAAA AAAAAAAAAAA',
  'AAAAAAAAAAéAAAAAAAAAAA',
  '€AAAAAAAAAAAAAAAAAAAAA',
])('%j is refused as no uuid', (text) => {
  expect(() => uuidToBytes(text as Uuid, Buffer.alloc(32), 0)).toThrow(RangeError);
});

test('a uuid does not go beyond the bytes that are there', () => {
  expect(() => uuidToBytes(METADATA_TOPIC_ID, Buffer.alloc(16), 1)).toThrow(RangeError);
  expect(() => uuidFromBytes(Buffer.alloc(16), 1)).toThrow(RangeError);
});
