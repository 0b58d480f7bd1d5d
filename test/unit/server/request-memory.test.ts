import { describe, expect, it } from 'vitest';
import {
  type Frame,
  type FrameOwner,
  FrameSlabs,
  FrameSplitter,
} from '../../../src/server/frame-splitter.ts';
import {
  FRAME_PACE_MS,
  FRAME_STALL_MS_MAX,
  FRAME_SWEEP_MS,
  FRAME_WAIT_MS_MAX,
  REQUEST_BYTES_MAX,
  RESERVED_REQUEST_BYTES_MAX,
} from '../../../src/server/limits.ts';
import { RequestMemory, RequestMemoryError } from '../../../src/server/request-memory.ts';
import { ManualTime, poisonedPool } from './fakes.ts';

const MIB = 1024 * 1024;
const READ_BYTES = 16 * 1024;

/** A peer that sends frames to a splitter, which reads as a connection does: not while it waits. */
class Peer implements FrameOwner {
  readonly splitter: FrameSplitter;
  readonly frames: Frame[] = [];
  expired = '';
  grants = 0;
  isHeldUp = false;
  #unread: Buffer[] = [];

  constructor(slabs: FrameSlabs) {
    this.splitter = new FrameSplitter(100 * MIB, slabs, this);
  }

  get isReading(): boolean {
    return !this.isHeldUp && !this.splitter.isWaiting;
  }

  onFrame(frame: Frame): void {
    this.frames.push(frame);
  }

  onFrameGranted(): void {
    this.grants += 1;
  }

  onFrameExpired(reason: string): void {
    this.expired = reason;
    this.#unread = [];
    this.splitter.close();
  }

  announce(size: number): void {
    const length = Buffer.alloc(4);
    length.writeInt32BE(size);
    this.send(length);
  }

  sendBytes(count: number): void {
    this.send(Buffer.alloc(count, count & 0xff));
  }

  send(bytes: Buffer): void {
    this.#unread.push(bytes);
    this.read();
  }

  /** Reads what was sent as far as the splitter lets it. */
  read(): void {
    while (this.isReading && this.expired === '') {
      const next = this.#unread.shift();
      if (next === undefined) return;
      const target = this.splitter.target();
      const count = Math.min(next.length, target?.length ?? READ_BYTES);
      if (count < next.length) this.#unread.unshift(next.subarray(count));
      if (target === undefined) this.splitter.push(Uint8Array.from(next.subarray(0, count)));
      else {
        target.set(next.subarray(0, count));
        this.splitter.push(target.subarray(0, count));
      }
    }
  }
}

function world(queuedBytesMax = -1) {
  const pool = poisonedPool();
  const time = new ManualTime();
  const memory = new RequestMemory(pool, {
    ports: { clock: time, timers: time },
    queuedBytesMax: () => queuedBytesMax,
  });
  const slabs = new FrameSlabs(memory);
  const peers: Peer[] = [];
  const peer = () => {
    const one = new Peer(slabs);
    peers.push(one);
    return one;
  };
  /** All go on reading until nothing moves. */
  const settle = () => {
    for (let grants = -1; grants !== total(); ) {
      grants = total();
      for (const one of peers) one.read();
    }
  };
  const total = () => peers.reduce((sum, { grants }) => sum + grants, 0);
  const end = () => {
    for (const one of peers) {
      one.splitter.close();
      for (const frame of one.frames) frame.release();
    }
    slabs.close();
    memory.close();
  };
  return { pool, time, memory, slabs, peer, peers, settle, end };
}

describe('RequestMemory', () => {
  it('takes no memory for what is announced', () => {
    const { pool, peer, end } = world();
    for (let i = 0; i < 1000; i++) peer().announce(90 * MIB);
    expect(pool.takenBytes()).toBe(0);
    end();
    expect(pool.takenBytes()).toBe(0);
  });

  it('holds 1,000 frames of 90 MiB that stop after 1 MB within its bounds, and lets small requests through', () => {
    const { pool, memory, peer, peers, settle, end } = world();
    for (let i = 0; i < 1000; i++) {
      const one = peer();
      one.announce(90 * MIB);
      one.sendBytes(1_000_000);
    }
    settle();
    expect(pool.takenBytes()).toBeLessThan(REQUEST_BYTES_MAX);
    expect(memory.bytes).toBe(pool.takenBytes());
    expect(peers.filter(({ splitter }) => splitter.isWaiting).length).toBeGreaterThan(900);
    const other = peer();
    for (let i = 0; i < 10; i++) {
      other.announce(60_000);
      other.sendBytes(60_000);
    }
    expect(other.frames).toHaveLength(10);
    end();
    expect(pool.takenBytes()).toBe(0);
    expect(memory.bytes).toBe(0);
  });

  it('always lets the oldest frame grow to its end, and the others one after the other', () => {
    const { pool, peer, peers, settle, end } = world();
    for (let i = 0; i < 100; i++) {
      const one = peer();
      one.announce(3 * MIB);
      one.sendBytes(100_000);
    }
    for (const one of peers) one.sendBytes(3 * MIB - 100_000);
    let most = 0;
    let handled = 0;
    for (let round = 0; round < 200 && handled < peers.length; round++) {
      settle();
      most = Math.max(most, pool.takenBytes());
      for (const one of peers)
        for (const frame of one.frames.splice(0)) {
          expect(frame.bytes).toHaveLength(3 * MIB);
          frame.release();
          handled += 1;
        }
    }
    expect(handled).toBe(100);
    expect(most).toBeLessThan(REQUEST_BYTES_MAX);
    end();
    expect(pool.takenBytes()).toBe(0);
  });

  it('keeps the bytes of frames that waited', () => {
    const { peer, settle, end } = world();
    const blockers = Array.from({ length: 80 }, () => {
      const one = peer();
      one.announce(MIB);
      one.sendBytes(MIB - 1);
      return one;
    });
    const late = peer();
    expect(blockers.filter(({ splitter }) => splitter.isWaiting).length).toBeGreaterThan(0);
    const body = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7) & 0xff));
    late.announce(body.length);
    late.send(body);
    settle();
    expect(late.frames).toHaveLength(0);
    for (const one of blockers) {
      one.sendBytes(1);
      settle();
      for (const frame of one.frames) frame.release();
    }
    settle();
    expect(late.frames[0]!.bytes.equals(body)).toBe(true);
    end();
  });

  it('counts large requests until they are handled', () => {
    const { peer, settle, end } = world(8 * MIB);
    const done = peer();
    for (let i = 0; i < 4; i++) {
      done.announce(1_200_000);
      done.sendBytes(1_200_000);
    }
    expect(done.frames).toHaveLength(4);
    const second = peer();
    second.announce(2 * MIB);
    second.sendBytes(2 * MIB);
    expect(second.splitter.isWaiting).toBe(true);
    for (const frame of done.frames) frame.release();
    settle();
    expect(second.frames).toHaveLength(1);
    end();
  });

  it('closes a frame of which no byte arrives, and not one that trickles', () => {
    const { pool, time, peer, end } = world();
    const [silent, trickling, unfinishedLength] = [peer(), peer(), peer()];
    silent.announce(90 * MIB);
    silent.sendBytes(MIB);
    trickling.announce(90 * MIB);
    unfinishedLength.send(Buffer.alloc(2));
    for (let ms = 0; ms < FRAME_STALL_MS_MAX - FRAME_SWEEP_MS; ms += 1000) {
      time.advance(1000);
      trickling.sendBytes(1);
    }
    expect([silent.expired, unfinishedLength.expired]).toEqual(['', '']);
    for (let ms = 0; ms < 3 * FRAME_STALL_MS_MAX; ms += 1000) {
      time.advance(1000);
      trickling.sendBytes(1);
    }
    expect(silent.expired).toMatch(/no byte/);
    expect(unfinishedLength.expired).toMatch(/no byte/);
    expect(trickling.expired).toBe('');
    expect(pool.takenBytes()).toBeLessThanOrEqual(1024);
    end();
    expect(time.pending).toBe(0);
  });

  it('does not blame a frame that is not read', () => {
    const { time, peer, end } = world();
    const held = peer();
    held.announce(50_000);
    held.sendBytes(100);
    held.isHeldUp = true;
    time.advance(10 * FRAME_STALL_MS_MAX);
    expect(held.expired).toBe('');
    end();
  });

  it('wants a pace while others wait, so that stalled frames make room within seconds', () => {
    const { time, peer, peers, settle, end } = world();
    for (let i = 0; i < 500; i++) {
      const one = peer();
      one.announce(90 * MIB);
      one.sendBytes(MIB);
    }
    const [trickling] = peers;
    // Others of their kind came before it.
    expect(peers.filter(({ splitter }) => splitter.isWaiting).length).toBeGreaterThan(20);
    const late = peer();
    late.announce(MIB);
    late.sendBytes(MIB);
    for (let ms = 0; ms < 3 * FRAME_PACE_MS && late.frames.length === 0; ms += 500) {
      time.advance(500);
      trickling!.sendBytes(1);
      settle();
    }
    expect(late.frames).toHaveLength(1);
    expect(trickling!.expired).toMatch(/too slowly/);
    end();
  });

  it('closes what waited too long for memory', () => {
    const { time, peer, peers, settle, end } = world();
    const busy = Array.from({ length: 60 }, () => {
      const one = peer();
      one.announce(100 * MIB);
      one.sendBytes(MIB);
      return one;
    });
    const late = Array.from({ length: 20 }, () => {
      const one = peer();
      one.announce(MIB);
      one.sendBytes(100_000);
      return one;
    });
    for (let ms = 0; ms <= FRAME_WAIT_MS_MAX + 2 * FRAME_SWEEP_MS; ms += 1000) {
      time.advance(1000);
      for (const one of busy) one.sendBytes(16_384);
      settle();
    }
    expect(peers.filter(({ expired }) => expired === '').length).toBeGreaterThan(0);
    expect(late.every(({ expired }) => /waited too long/.test(expired))).toBe(true);
    end();
  });

  it('refuses to hold more waiting or small frames than its shares', () => {
    const { memory, peer, end } = world();
    let refused = 0;
    for (let i = 0; i < 6000; i++) {
      const one = peer();
      one.announce(90 * MIB);
      try {
        one.sendBytes(20_000);
      } catch (error) {
        if (!(error instanceof RequestMemoryError)) throw error;
        refused += 1;
        one.splitter.close();
      }
    }
    expect(refused).toBeGreaterThan(0);
    expect(memory.isExhausted).toBe(false);
    expect(memory.bytes).toBeLessThan(REQUEST_BYTES_MAX + RESERVED_REQUEST_BYTES_MAX);
    // The rest of the share still holds small requests that are cut.
    const small = peer();
    small.announce(10_000);
    small.sendBytes(5_000);
    small.sendBytes(5_000);
    expect(small.frames).toHaveLength(1);
    end();
  });

  it('never holds up the links of the node itself', () => {
    const pool = poisonedPool();
    const slabs = new FrameSlabs(new RequestMemory(pool));
    const peers = Array.from({ length: 100 }, () => new Peer(slabs));
    for (const one of peers) {
      one.announce(3 * MIB);
      one.sendBytes(3 * MIB - 1);
      expect(one.splitter.isWaiting).toBe(false);
    }
    for (const one of peers) {
      one.sendBytes(1);
      expect(one.frames).toHaveLength(1);
      one.frames[0]!.release();
    }
    slabs.close();
    expect(pool.takenBytes()).toBe(0);
  });

  it.each([1, 2, 3])('gives every byte back whatever happens to frames in which order (seed %i)', (seed) => {
    const { pool, memory, time, peer, peers, settle, end } = world(12 * MIB);
    let state = seed;
    const below = (bound: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 8) % bound;
    };
    const left = new Map<Peer, number>();
    for (let step = 0; step < 4000; step++) {
      const live = peers.filter(({ expired }) => expired === '');
      const one = live.length < 30 ? peer() : live[below(live.length)]!;
      const rest = left.get(one) ?? 0;
      try {
        if (below(100) === 0) one.onFrameExpired('closed by the test');
        else if (rest === 0) {
          const size = [20, 3000, 40_000, 100_000, 700_000, 4 * MIB][below(6)]!;
          one.announce(size);
          left.set(one, size);
        } else {
          const count = Math.min(rest, 1 + below(200_000));
          left.set(one, rest - count);
          one.sendBytes(count);
        }
      } catch (error) {
        if (!(error instanceof RequestMemoryError)) throw error;
        one.onFrameExpired(error.message);
      }
      for (const frame of one.frames.splice(0))
        if (below(2) === 0) frame.release();
        else one.frames.push(frame);
      if (step % 10 === 0) time.advance(300);
      settle();
      expect(memory.bytes).toBeGreaterThanOrEqual(0);
    }
    end();
    expect(pool.takenBytes()).toBe(0);
    expect(memory.bytes).toBe(0);
  });

  /** One large frame is complete and takes all there is; others begin and wait for memory. */
  function crowded() {
    const all = world(8 * MIB);
    const hog = all.peer();
    hog.announce(6 * MIB);
    hog.sendBytes(6 * MIB);
    /** A peer that stops within its frame; undefined where it was refused. */
    const waiting = () => {
      const one = all.peer();
      one.announce(MIB);
      try {
        one.sendBytes(15 * 1024);
        one.sendBytes(5 * READ_BYTES);
        return one;
      } catch (error) {
        expect(error).toBeInstanceOf(RequestMemoryError);
        one.splitter.close();
        return undefined;
      }
    };
    return { ...all, waiting };
  }

  it('bounds what frames that wait hold, also those that had more than 64 KiB before they could be stopped', () => {
    const { memory, pool, waiting, end } = crowded();
    const admitted = Array.from({ length: 1000 }, waiting).filter((one) => one !== undefined);
    expect(admitted.length).toBeGreaterThan(10);
    expect(admitted.every(({ splitter }) => splitter.isWaiting)).toBe(true);
    expect(memory.bytes).toBeLessThan(12 * MIB);
    end();
    expect(pool.takenBytes()).toBe(0);
  });

  it('bounds them still after many have come and gone', () => {
    const { memory, waiting, end } = crowded();
    for (let i = 0; i < 1000; i++) waiting()?.splitter.close();
    for (let i = 0; i < 1000; i++) waiting();
    expect(memory.bytes).toBeLessThan(12 * MIB);
    end();
  });
});
