import { expect, test } from 'vitest';
import type { Link } from '../../../src/base/ports.ts';

export interface LinksUnderTest {
  /** Two ends of one connection, with no handlers yet. */
  open(): Promise<[Link, Link]>;
  /** Waits; a simulated world runs on meanwhile. */
  settle<T>(promise: Promise<T>): Promise<T>;
}

const READ_MAX_BYTES = 64 * 1024;

/** Bytes that tell where they stood. */
export function pattern(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >>> 8) * 17 + seed) & 0xff;
  return bytes;
}

/** Collects copies of what arrives. */
export class Collector {
  readonly chunks: Buffer[] = [];
  bytes = 0;
  closed = 0;
  reason: Error | undefined;
  readonly #waiting: { until: () => boolean; resolve: () => void }[] = [];

  constructor(link: Link) {
    link.onBytes = (chunk) => {
      expect(this.closed).toBe(0);
      expect(chunk.length).toBeGreaterThan(0);
      expect(chunk.length).toBeLessThanOrEqual(READ_MAX_BYTES);
      this.chunks.push(Buffer.from(chunk));
      this.bytes += chunk.length;
      this.check();
    };
    link.onClosed = (reason) => {
      this.closed++;
      this.reason = reason;
      this.check();
    };
  }

  all(): Buffer {
    return Buffer.concat(this.chunks);
  }

  until(until: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ until, resolve });
      this.check();
    });
  }

  check(): void {
    for (const { until, resolve } of this.#waiting) if (until()) resolve();
  }
}

/** What every {@link Link} keeps to: the tests of TCP, of the link in memory and of the simulated one. */
export function linkContract(make: () => LinksUnderTest): void {
  test('bytes arrive whole and in order, both ways at once', async () => {
    const { open, settle } = make();
    const [a, b] = await open();
    const atA = new Collector(a);
    const atB = new Collector(b);
    const toB = pattern(500_000, 1);
    const toA = pattern(300_000, 2);
    for (let at = 0, i = 0; at < toB.length; i++) {
      const size = Math.min(toB.length - at, 1 + ((i * 7919) % 9000));
      const cut = at + (size >>> 1);
      a.send([toB.subarray(at, cut), toB.subarray(cut, at + size)]);
      at += size;
    }
    for (let at = 0; at < toA.length; at += 30_000) b.send([toA.subarray(at, at + 30_000)]);
    await settle(atB.until(() => atB.bytes >= toB.length));
    await settle(atA.until(() => atA.bytes >= toA.length));
    expect(atB.all().equals(toB)).toBe(true);
    expect(atA.all().equals(toA)).toBe(true);
    a.destroy();
    await settle(atB.until(() => atB.closed > 0));
  });

  test('a target is filled in place, what is behind it comes through the scratch again', async () => {
    const { open, settle } = make();
    const [a, b] = await open();
    new Collector(a);
    const atB = new Collector(b);
    const sent = pattern(300_000, 3);
    const frame = Buffer.alloc(200_000);
    const from = 1000;
    let filled = 0;
    let straight = 0;
    const scratched: Buffer[] = [];
    b.target = () => (filled > 0 && filled < frame.length ? frame.subarray(filled) : undefined);
    const passOn = b.onBytes;
    b.onBytes = (chunk) => {
      if (chunk.buffer === frame.buffer) {
        expect(chunk.byteOffset).toBe(frame.byteOffset + filled);
        filled += chunk.length;
        straight += chunk.length;
      } else {
        // The beginning of the frame, and whatever comes before a new target is asked for.
        const begins = filled === 0 ? Math.max(0, from - atB.bytes) : 0;
        const count = Math.max(0, Math.min(chunk.length - begins, frame.length - filled));
        frame.set(chunk.subarray(begins, begins + count), filled);
        filled += count;
        scratched.push(Buffer.from(chunk.subarray(0, begins)), Buffer.from(chunk.subarray(begins + count)));
      }
      passOn(chunk);
    };
    a.send([sent.subarray(0, from), sent.subarray(from, 20_000), sent.subarray(20_000)]);
    await settle(atB.until(() => atB.bytes >= sent.length));
    expect(frame.equals(sent.subarray(from, from + frame.length))).toBe(true);
    const others = Buffer.concat([sent.subarray(0, from), sent.subarray(from + frame.length)]);
    expect(Buffer.concat(scratched).equals(others)).toBe(true);
    expect(atB.all().equals(sent)).toBe(true);
    expect(straight).toBeGreaterThan(0);
    a.destroy();
    await settle(atB.until(() => atB.closed > 0));
  });

  test('sent runs once, in order, never inside send, and before the end', async () => {
    const { open, settle } = make();
    const [a, b] = await open();
    const atA = new Collector(a);
    const atB = new Collector(b);
    const ran: number[] = [];
    let inside = false;
    const send = (id: number, chunks: readonly Uint8Array[]) => {
      inside = true;
      a.send(chunks, () => {
        expect(inside).toBe(false);
        expect(atA.closed).toBe(0);
        ran.push(id);
        atA.check();
      });
      inside = false;
    };
    send(1, [pattern(10, 1)]);
    send(2, [pattern(200_000, 1), pattern(5, 1)]);
    send(3, []);
    send(4, [new Uint8Array(0)]);
    send(5, [pattern(10, 1)]);
    await settle(atA.until(() => ran.length === 5));
    await settle(atB.until(() => atB.bytes === 200_025));
    send(6, [pattern(10, 1)]);
    a.destroy();
    send(7, [pattern(10, 1)]);
    await settle(atA.until(() => atA.closed > 0 && ran.length === 7));
    expect(ran.slice(0, 6)).toEqual([1, 2, 3, 4, 5, ran[5]]);
    expect(ran.slice(5).sort()).toEqual([6, 7]);
    await settle(atB.until(() => atB.closed > 0));
  });

  test('a receiver that pauses holds the sender back; all arrives once it reads on', async () => {
    const { open, settle } = make();
    const [a, b] = await open();
    const atA = new Collector(a);
    const atB = new Collector(b);
    let drained = 0;
    a.onDrain = () => {
      drained++;
      atA.check();
    };
    b.pause();
    const chunk = pattern(256 * 1024, 9);
    let count = 0;
    while (a.send([chunk]) && count < 200) count++;
    expect(count).toBeLessThan(200);
    expect(a.queuedBytes()).toBeGreaterThan(0);
    // A paused link still sends.
    b.send([pattern(10, 1)]);
    await settle(atA.until(() => atA.bytes === 10));
    const total = (count + 1) * chunk.length;
    expect(atB.bytes).toBeLessThan(total);
    b.resume();
    await settle(atB.until(() => atB.bytes === total));
    await settle(atA.until(() => drained > 0));
    expect(a.queuedBytes()).toBe(0);
    for (let i = 0; i <= count; i++) {
      expect(
        atB
          .all()
          .subarray(i * chunk.length, (i + 1) * chunk.length)
          .equals(chunk),
      ).toBe(true);
      if (i > 2) break;
    }
    b.destroy();
    await settle(atA.until(() => atA.closed > 0));
  });

  test('pausing inside onBytes holds what is left', async () => {
    const { open, settle } = make();
    const [a, b] = await open();
    const atA = new Collector(a);
    const atB = new Collector(b);
    const sent = pattern(400_000, 5);
    const passOn = b.onBytes;
    let paused = false;
    b.onBytes = (chunk) => {
      expect(paused).toBe(false);
      paused = true;
      b.pause();
      passOn(chunk);
    };
    a.send([sent]);
    let pauses = 0;
    while (atB.bytes < sent.length) {
      await settle(atB.until(() => paused));
      pauses++;
      paused = false;
      b.resume();
    }
    expect(pauses).toBeGreaterThan(1);
    expect(atB.all().equals(sent)).toBe(true);
    b.destroy();
    await settle(atA.until(() => atA.closed > 0));
  });

  test('close delivers what is queued and ends both sides in order', async () => {
    const { open, settle } = make();
    const [a, b] = await open();
    const atA = new Collector(a);
    const atB = new Collector(b);
    const sent = pattern(300_000, 4);
    a.send([sent.subarray(0, 250_000)]);
    a.send([sent.subarray(250_000)]);
    a.close();
    a.close();
    await settle(atB.until(() => atB.closed > 0));
    await settle(atA.until(() => atA.closed > 0));
    expect(atB.all().equals(sent)).toBe(true);
    expect([atA.closed, atB.closed]).toEqual([1, 1]);
    expect([atA.reason, atB.reason]).toEqual([undefined, undefined]);
    expect(a.send([pattern(1, 1)])).toBe(true);
    a.destroy();
    b.close();
  });

  test('destroy drops the connection and tells its own reason', async () => {
    const { open, settle } = make();
    const [a, b] = await open();
    const atA = new Collector(a);
    const atB = new Collector(b);
    const reason = new Error('enough');
    a.send([pattern(10, 1)]);
    a.destroy(reason);
    expect(atA.closed).toBe(0);
    a.destroy();
    await settle(atA.until(() => atA.closed > 0));
    await settle(atB.until(() => atB.closed > 0));
    expect([atA.closed, atB.closed]).toEqual([1, 1]);
    expect(atA.reason).toBe(reason);
  });

  test('destroy inside onBytes: nothing follows but the end', async () => {
    const { open, settle } = make();
    const [a, b] = await open();
    const atA = new Collector(a);
    const atB = new Collector(b);
    const passOn = b.onBytes;
    b.onBytes = (chunk) => {
      expect(atB.bytes).toBe(0);
      passOn(chunk);
      b.destroy();
    };
    a.send([pattern(400_000, 1)]);
    await settle(atB.until(() => atB.closed > 0));
    await settle(atA.until(() => atA.closed > 0));
    expect(atB.chunks.length).toBe(1);
  });
}
