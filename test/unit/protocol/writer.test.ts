import { describe, expect, test } from 'vitest';
import type { Uuid } from '../../../src/base/uuid.ts';
import { ProtocolEncodeError } from '../../../src/protocol/codec.ts';
import { Reader } from '../../../src/protocol/reader.ts';
import { type BufferSource, Writer } from '../../../src/protocol/writer.ts';

class CountingPool implements BufferSource {
  readonly out = new Set<Buffer>();

  take(size: number): Buffer {
    const buffer = Buffer.alloc(Math.max(64, size), 0xa5);
    this.out.add(buffer);
    return buffer;
  }

  give(buffer: Buffer): void {
    if (!this.out.delete(buffer)) throw new Error('given back twice');
    buffer.fill(0xdd);
  }
}

describe('numbers', () => {
  test.each([0n, 1n, -1n, -2n, 2n ** 53n, -(2n ** 53n), 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)])(
    'int64 %s keeps all its bits',
    (value) => {
      const writer = new Writer();
      writer.int64(value);
      expect(writer.bytes().readBigInt64BE(0)).toBe(value);
      expect(new Reader(writer.bytes()).int64()).toBe(value);
    },
  );

  test.each([0, 1, -1, 2 ** 31, 2 ** 32, -(2 ** 32), -(2 ** 32) - 1, 2 ** 53 - 1, -(2 ** 53) + 1])(
    'an offset of %s is written as an int64',
    (value) => {
      const writer = new Writer();
      writer.offset(value);
      expect(writer.bytes().readBigInt64BE(0)).toBe(BigInt(value));
      expect(new Reader(writer.bytes()).offset()).toBe(value);
    },
  );

  test.each([0, 127, 128, 16_383, 16_384, 2 ** 28 - 1, 2 ** 28, 2 ** 32 - 1])('varint %s', (value) => {
    const writer = new Writer();
    writer.uvarint(value);
    expect(new Reader(writer.bytes()).uvarint()).toBe(value);
  });

  test('varints of more than 32 bits are refused', () => {
    expect(() => new Reader(Buffer.from('ffffffff1f', 'hex')).uvarint()).toThrow(/more than 32 bits/);
    expect(() => new Reader(Buffer.from('808080808000', 'hex')).uvarint()).toThrow(/more than 32 bits/);
  });

  test('what does not fit its type is refused instead of cut', () => {
    const writer = new Writer();
    expect(() => writer.int8(128)).toThrow(ProtocolEncodeError);
    expect(() => writer.int16(70_000)).toThrow(ProtocolEncodeError);
    expect(() => writer.uint16(-1)).toThrow(ProtocolEncodeError);
    expect(() => writer.int32(2 ** 31)).toThrow(ProtocolEncodeError);
    expect(() => writer.int64(2n ** 63n)).toThrow(ProtocolEncodeError);
    expect(() => writer.offset(Number.NaN)).toThrow(ProtocolEncodeError);
    expect(writer.length).toBe(0);
  });
});

describe('texts and ids', () => {
  test.each(['', 'a', 'x'.repeat(31), 'x'.repeat(32), 'ü'.repeat(16), '日本語', 'a😀b', '\ud800'])(
    '%j in both encodings',
    (text) => {
      const expected = Buffer.from(text).toString();
      const writer = new Writer(undefined, 4);
      writer.string(text);
      writer.compactString(text);
      const reader = new Reader(writer.bytes());
      expect([reader.string(), reader.compactString(), reader.at]).toEqual([
        expected,
        expected,
        writer.length,
      ]);
    },
  );

  test('a uuid is its 16 bytes', () => {
    const uuid = '-wQEBAQEBAQEBAQEBAQEBA' as Uuid;
    const writer = new Writer();
    writer.uuid(uuid);
    expect(writer.bytes().toString('hex')).toBe('fb040404040404040404040404040404');
    expect(new Reader(writer.bytes()).uuid()).toBe(uuid);
  });
});

describe('buffers', () => {
  test('come from the source and go back on release, each once', () => {
    const pool = new CountingPool();
    const writer = new Writer(pool, 64);
    for (let round = 0; round < 3; round++) {
      for (let index = 0; index < 100; index++) writer.int32(index);
      writer.records(Buffer.alloc(2000, round));
      writer.int32(-1);
      expect(writer.length).toBe(400 + 4 + 2000 + 4);
      const bytes = Buffer.concat(writer.chunks());
      expect(bytes.readInt32BE(396)).toBe(99);
      expect(bytes.readInt32BE(bytes.length - 4)).toBe(-1);
      expect(pool.out.size).toBeGreaterThan(0);
      writer.release();
      expect([pool.out.size, writer.length]).toEqual([0, 0]);
    }
  });

  test('what fits into the own buffer takes nothing from the source', () => {
    const pool = new CountingPool();
    const writer = new Writer(pool, 64, Buffer.alloc(100));
    for (const count of [25, 26, 25]) {
      for (let index = 0; index < count; index++) writer.int32(index);
      expect(pool.out.size).toBe(count > 25 ? 1 : 0);
      expect(writer.bytes().readInt32BE((count - 1) * 4)).toBe(count - 1);
      writer.release();
      expect([pool.out.size, writer.length]).toEqual([0, 0]);
    }
  });

  test('a buffer that had to grow keeps the chunks that were there', () => {
    const writer = new Writer(undefined, 8);
    const records = Buffer.alloc(1500, 3);
    writer.beginFrame();
    writer.records(records);
    for (let index = 0; index < 1000; index++) writer.int16(index);
    writer.endFrame();
    const frame = writer.bytes();
    expect(frame.readInt32BE(0)).toBe(frame.length - 4);
    expect(frame.subarray(8, 1508).equals(records)).toBe(true);
    expect(frame.readInt16BE(frame.length - 2)).toBe(999);
  });

  test('small records are copied, for a chunk of their own costs more', () => {
    const writer = new Writer();
    writer.records(Buffer.alloc(100, 1));
    expect(writer.chunks()).toHaveLength(1);
  });
});

test.each([0, 7, 8, 9, 93, 94, 95, 1000])(
  'copies what was written, attached records too, to where it is wanted',
  (more) => {
    const writer = new Writer();
    writer.int16(0x0102);
    writer.records(Buffer.alloc(2000, 9));
    writer.string('behind'.padEnd(more, '.'));
    const into = Buffer.alloc(5 + writer.length);
    writer.copyTo(into, 5);
    expect(into.subarray(5)).toEqual(writer.bytes());
    expect(into.subarray(0, 5)).toEqual(Buffer.alloc(5));
  },
);
