import { describe, expect, it } from 'vitest';
import { BufferPool } from '../../../src/base/buffer-pool.ts';
import {
  type Frame,
  FrameError,
  type FrameOwner,
  FrameSlabs,
  FrameSplitter,
} from '../../../src/server/frame-splitter.ts';
import { RequestMemory } from '../../../src/server/request-memory.ts';
import { poisonedPool } from './fakes.ts';

function framed(body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length);
  return Buffer.concat([length, body]);
}

function body(size: number, seed: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i++) bytes[i] = (seed * 31 + i * 7) & 0xff;
  return bytes;
}

function ownerOf(frames: Frame[]): FrameOwner {
  return {
    isReading: true,
    onFrame: (frame) => frames.push(frame),
    onFrameGranted: () => {},
    onFrameExpired: () => {},
  };
}

function collector(pool = poisonedPool(), frameBytesMax = 100 * 1024 * 1024) {
  const frames: Frame[] = [];
  const slabs = new FrameSlabs(new RequestMemory(pool));
  const splitter = new FrameSplitter(frameBytesMax, slabs, ownerOf(frames));
  return { frames, splitter, slabs, pool };
}

describe('FrameSplitter', () => {
  it('gives the same frames wherever the stream is cut', () => {
    const bodies = [body(8, 1), body(100, 2), body(33, 3)];
    const stream = Buffer.concat(bodies.map(framed));
    for (let cut = 0; cut <= stream.length; cut++) {
      const { frames, splitter } = collector();
      splitter.push(Uint8Array.from(stream.subarray(0, cut)));
      splitter.push(Uint8Array.from(stream.subarray(cut)));
      expect(frames.map(({ bytes }) => bytes.toString('hex'))).toEqual(
        bodies.map((one) => one.toString('hex')),
      );
    }
  });

  it('takes a stream byte by byte, small and large frames mixed', () => {
    const bodies = [body(10, 1), body(40_000, 2), body(9, 3)];
    const { frames, splitter } = collector();
    for (const byte of Buffer.concat(bodies.map(framed))) splitter.push(Uint8Array.of(byte));
    expect(frames.map(({ bytes }, at) => Buffer.compare(bytes, bodies[at]!))).toEqual([0, 0, 0]);
  });

  it('keeps a frame valid until it is released, whatever comes after it', () => {
    const { frames, splitter } = collector();
    const first = body(50, 1);
    splitter.push(framed(first));
    for (let i = 0; i < 5_000; i++) splitter.push(framed(body(100, i)));
    for (const frame of frames.slice(1)) frame.release();
    expect(frames[0]!.bytes.equals(first)).toBe(true);
  });

  it('gives all memory back once every frame is released and the connection is closed', () => {
    const { frames, splitter, slabs, pool } = collector();
    for (let i = 0; i < 3_000; i++) splitter.push(framed(body(100 + (i % 50), i)));
    splitter.push(framed(body(200_000, 7)));
    splitter.push(framed(body(50_000, 8)).subarray(0, 20_000));
    splitter.close();
    slabs.close();
    for (const frame of frames) {
      frame.release();
      frame.release();
    }
    expect(pool.takenBytes()).toBe(0);
  });

  it('shares the memory for small frames with other connections, idle ones hold none', () => {
    const { frames, splitter, slabs, pool } = collector();
    const one = body(50, 1);
    splitter.push(framed(one));
    const alone = pool.takenBytes();
    for (let i = 0; i < 100; i++) {
      const other = new FrameSplitter(1000, slabs, ownerOf(frames));
      other.push(framed(body(50, i)).subarray(0, 30));
      other.close();
    }
    expect(pool.takenBytes()).toBe(alone);
    expect(frames).toHaveLength(1);
    expect(frames[0]!.bytes.equals(one)).toBe(true);
  });

  it('reserves memory as bytes arrive and not as they are announced', () => {
    const { splitter, pool } = collector();
    const announced = Buffer.alloc(4 + 1024);
    announced.writeInt32BE(90 * 1024 * 1024);
    splitter.push(announced);
    expect(pool.takenBytes()).toBeLessThanOrEqual(4 * 1024);
  });

  it('grows with a large frame and gives it whole', () => {
    const { frames, splitter } = collector(new BufferPool());
    const large = body(5 * 1024 * 1024 + 17, 3);
    const stream = framed(large);
    for (let at = 0; at < stream.length; at += 65_536) splitter.push(stream.subarray(at, at + 65_536));
    expect(frames[0]!.bytes.equals(large)).toBe(true);
  });

  it('lets a link read a large frame straight into place', () => {
    const { frames, splitter } = collector(new BufferPool());
    const large = body(3 * 1024 * 1024, 5);
    const stream = framed(large);
    splitter.push(stream.subarray(0, 20_000));
    let at = 20_000;
    while (at < stream.length) {
      const target = splitter.target();
      expect(target).toBeDefined();
      const count = Math.min(target!.length, stream.length - at);
      target!.set(stream.subarray(at, at + count));
      splitter.push(target!.subarray(0, count));
      at += count;
    }
    expect(frames[0]!.bytes.equals(large)).toBe(true);
    expect(splitter.target()).toBeUndefined();
  });

  it.each([
    ['negative', -1],
    ['zero', 0],
    ['too small for a header', 7],
    ['over socket.request.max.bytes', 5_001],
  ])('refuses a %s size, after the frames before it', (_name, size) => {
    const { frames, splitter } = collector(poisonedPool(), 5_000);
    const bad = Buffer.alloc(4);
    bad.writeInt32BE(size);
    expect(() => splitter.push(Buffer.concat([framed(body(20, 1)), bad]))).toThrow(FrameError);
    expect(frames).toHaveLength(1);
  });
});
