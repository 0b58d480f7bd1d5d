import { expect, test } from 'vitest';
import { CorruptCompressionError, OutputTooLargeError } from '../../../../src/protocol/compression/codec.ts';
import { compress, decompress } from '../../../../src/protocol/compression/index.ts';
import { xxHash32 } from '../../../../src/protocol/compression/xxhash32.ts';
import {
  InvalidMessageError,
  innerMessages,
  type MessageSlot,
  messageBytes,
  messageCodec,
  messageCrcIsValid,
  messageMagic,
  messageOffset,
  messageTimestampType,
  readMessage,
  wrapperOf,
} from '../../../../src/protocol/record-batch/message-set.ts';
import {
  MessageSetBuilder,
  type MessageSetOptions,
} from '../../../../src/protocol/record-batch/message-set-builder.ts';

const MOST = 1024 * 1024;
const key = Buffer.from('key');
const value = Buffer.from('value');

function set(options: Partial<MessageSetOptions>, offsets: readonly number[] = [70, 71, 74]): Buffer {
  const builder = new MessageSetBuilder({
    magic: 1,
    compression: 'none',
    timestampType: 'CreateTime',
    ...options,
  });
  offsets.forEach((offset, i) => {
    builder.append(offset, BigInt(1000 - i), i === 1 ? null : key, i === 2 ? null : value);
  });
  return builder.build();
}

function slots(bytes: Buffer): MessageSlot[] {
  const found: MessageSlot[] = [];
  for (let at = 0; at < bytes.length; at += messageBytes(bytes, at)) {
    found.push({ bytes, at, offset: messageOffset(bytes, at) });
  }
  return found;
}

const failureOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof InvalidMessageError) return error.failure;
    if (error instanceof CorruptCompressionError) return 'compression';
    if (error instanceof OutputTooLargeError) return 'too large';
    throw error;
  }
  return 'none';
};

test('a message has the bytes that other implementations give it', () => {
  const written = (magic: 0 | 1) => {
    const builder = new MessageSetBuilder({ magic, compression: 'none', timestampType: 'CreateTime' });
    builder.append(5, 1n, Buffer.from('a'), Buffer.from('b'));
    return builder.build().toString('hex');
  };
  // Made with struct and zlib of Python.
  expect(written(0)).toBe('000000000000000500000010a4ad2011000000000001610000000162');
  expect(written(1)).toBe('00000000000000050000001874449975010000000000000000010000000161' + '0000000162');
});

for (const magic of [0, 1] as const) {
  for (const compression of ['none', 'gzip', 'snappy', 'lz4'] as const) {
    test(`format ${magic}, ${compression}: what was written is read`, () => {
      const bytes = set({ magic, compression });
      const outer = slots(bytes);
      expect(outer.every(({ at }) => messageCrcIsValid(bytes, at) && messageMagic(bytes, at) === magic)).toBe(
        true,
      );
      expect(outer.map(({ at }) => messageCodec(bytes, at))).toEqual(outer.map(() => compression));
      expect(outer.map(({ offset }) => offset)).toEqual(compression === 'none' ? [70, 71, 74] : [74]);
      const all = compression === 'none' ? outer : innerMessages(outer[0]!, MOST);
      expect(all.map((slot) => readMessage(slot))).toEqual([
        { offset: 70, timestamp: magic === 0 ? -1n : 1000n, key, value },
        { offset: 71, timestamp: magic === 0 ? -1n : 999n, key: null, value },
        { offset: 74, timestamp: magic === 0 ? -1n : 998n, key, value: null },
      ]);
    });
  }
}

test('within a compressed message offsets are absolute in format 0 and relative in format 1', () => {
  const written = (magic: 0 | 1) =>
    innerMessages({ bytes: set({ magic, compression: 'gzip' }), at: 0, offset: 0 }, MOST).map(
      ({ bytes, at }) => messageOffset(bytes, at),
    );
  expect(written(0)).toEqual([70, 71, 74]);
  expect(written(1)).toEqual([0, 1, 4]);
});

test('LogAppendTime is that of the compressed message', () => {
  const bytes = set({ compression: 'gzip', timestampType: 'LogAppendTime', logAppendTime: 5555n });
  const slot = { bytes, at: 0, offset: 74 };
  expect([messageTimestampType(bytes, 0), wrapperOf(slot)]).toEqual([
    'LogAppendTime',
    { timestampType: 'LogAppendTime', timestamp: 5555n },
  ]);
  const inner = innerMessages(slot, MOST);
  expect(inner.map((one) => readMessage(one, wrapperOf(slot)).timestamp)).toEqual([5555n, 5555n, 5555n]);
});

test('the compressed message has the largest timestamp', () => {
  expect(readMessage({ bytes: set({ compression: 'gzip' }), at: 0, offset: 0 }).timestamp).toBe(1000n);
});

test('lz4 in format 0 has the header checksum of old clients, and reads any (KIP-57)', () => {
  const old = set({ magic: 0, compression: 'lz4' });
  const frame = Buffer.from(readMessage({ bytes: old, at: 0, offset: 0 }).value!);
  expect(frame[6]).toBe((xxHash32(frame, 0, 6) >>> 8) & 0xff);
  expect(() => decompress('lz4', frame, MOST)).toThrow(/header checksum/);
  const right = Buffer.from(
    readMessage({ bytes: set({ magic: 1, compression: 'lz4' }), at: 0, offset: 0 }).value!,
  );
  expect(decompress('lz4', right, MOST).length).toBeGreaterThan(0);
  // A wrapper of format 0 with a right checksum, and one of format 1 with a wrong one.
  right.copy(old, old.length - frame.length, 0, 7);
  expect(innerMessages({ bytes: old, at: 0, offset: 0 }, MOST)).toHaveLength(3);
  const wrong = set({ magic: 1, compression: 'lz4' });
  wrong[34 + 6] = wrong[34 + 6]! ^ 1;
  expect(failureOf(() => innerMessages({ bytes: wrong, at: 0, offset: 0 }, MOST))).toBe('compression');
});

test('a CRC is wrong after any byte behind it was changed', () => {
  const good = set({}, [9]);
  for (let at = 12; at < good.length; at++) {
    const bytes = Buffer.from(good);
    bytes[at] = bytes[at]! ^ 0x10;
    expect([at, messageCrcIsValid(bytes, 0)]).toEqual([at, false]);
  }
});

test('what a compressed message holds is checked', () => {
  const around = (payload: Buffer | null, codec = 1): MessageSlot => {
    const wrapper = new MessageSetBuilder({ magic: 1, compression: 'none', timestampType: 'CreateTime' });
    wrapper.append(3, 0n, null, payload);
    const bytes = wrapper.build();
    bytes[17] = codec;
    return { bytes, at: 0, offset: 3 };
  };
  const inside = (payload: Buffer | null, codec?: number) =>
    failureOf(() => innerMessages(around(payload, codec), MOST));
  expect(inside(null)).toBe('invalid');
  expect(inside(Buffer.alloc(40))).toBe('compression');
  expect(inside(compress('gzip', Buffer.alloc(0)))).toBe('invalid');
  expect(inside(compress('gzip', Buffer.alloc(11)))).toBe('invalid');
  expect(inside(compress('gzip', Buffer.alloc(12)))).toBe('corrupt');
  expect(inside(compress('gzip', set({}, [0]).subarray(0, 30)))).toBe('invalid');
  for (const codec of [4, 5, 7]) expect([codec, inside(value, codec)]).toEqual([codec, 'invalid']);
  expect(failureOf(() => innerMessages(around(compress('gzip', set({}))), 100))).toBe('too large');
  // Of a message that is cut nothing is left, those before it count.
  expect(innerMessages(around(compress('gzip', set({}, [0, 1]).subarray(0, -1))), MOST)).toHaveLength(1);
});

test('a wrapper before its last message is refused, unless its offset is 0', () => {
  const bytes = set({ compression: 'gzip' });
  expect(failureOf(() => innerMessages({ bytes, at: 0, offset: 3 }, MOST))).toBe('invalid');
  expect(innerMessages({ bytes, at: 0, offset: 0 }, MOST).map(({ offset }) => offset)).toEqual([0, 1, 4]);
});

test('lengths that leave the message are refused', () => {
  for (const magic of [0, 1] as const) {
    const keyAt = magic === 0 ? 18 : 26;
    for (const [at, length] of [
      [keyAt, 0x7fffffff],
      [keyAt, 100],
      [keyAt + 4 + key.length, 6],
    ] as const) {
      const bytes = set({ magic }, [1]);
      bytes.writeInt32BE(length, at);
      expect(failureOf(() => readMessage({ bytes, at: 0, offset: 1 }))).toBe('invalid');
    }
    const bytes = set({ magic }, [1]);
    bytes.writeInt32BE(-7, keyAt + 4 + key.length);
    expect(readMessage({ bytes, at: 0, offset: 1 }).value).toBe(null);
  }
});
