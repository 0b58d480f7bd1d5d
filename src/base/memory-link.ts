import type { Endpoint, Link, Turn } from './ports.ts';

/** As a socket reads: no more at a time. */
const READ_MAX_BYTES = 64 * 1024;
const HIGH_WATER_BYTES = 1024 * 1024;
const POISON = 0xdb;

export interface MemoryLinkOptions {
  /** For tests: bytes pass through a scratch that is overwritten after each `onBytes`, as on a socket. */
  readonly poison?: boolean;
  readonly near?: Endpoint;
  readonly far?: Endpoint;
}

interface Sent {
  readonly chunks: readonly Uint8Array[];
  readonly bytes: number;
  readonly sent: (() => void) | undefined;
}

/**
 * Two ends of a connection inside the process, with the rules of {@link Link}: bytes arrive on a later turn, in order,
 * and are not copied on the way. For the broker that talks to its own controller.
 */
export function memoryLinkPair(turn: Turn, options: MemoryLinkOptions = {}): [Link, Link] {
  const near = options.near ?? { host: 'memory', port: 0 };
  const far = options.far ?? { host: 'memory', port: 1 };
  const scratch = options.poison === true ? new Uint8Array(READ_MAX_BYTES) : undefined;
  const a = new MemoryLink(turn, near, far, scratch);
  const b = new MemoryLink(turn, far, near, scratch);
  a.connect(b);
  b.connect(a);
  return [a, b];
}

class MemoryLink implements Link {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  onBytes: (chunk: Uint8Array) => void = () => {};
  onDrain: () => void = () => {};
  onClosed: (reason?: Error) => void = () => {};
  target: (() => Uint8Array | undefined) | undefined;
  readonly #turn: Turn;
  readonly #scratch: Uint8Array | undefined;
  #peer: MemoryLink | undefined;
  #outgoing: Sent[] = [];
  #queuedBytes = 0;
  #wantsDrain = false;
  #paused = false;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #pumping = false;
  /** Of what was sent after the end. */
  readonly #droppedSent: (() => void)[] = [];
  #told = false;

  constructor(turn: Turn, local: Endpoint, remote: Endpoint, scratch: Uint8Array | undefined) {
    this.#turn = turn;
    this.local = local;
    this.remote = remote;
    this.#scratch = scratch;
  }

  connect(peer: MemoryLink): void {
    this.#peer = peer;
  }

  send(chunks: readonly Uint8Array[], sent?: () => void): boolean {
    if (this.#state !== 'open') {
      if (sent === undefined) return true;
      if (this.#told) this.#turn.later(sent);
      else this.#droppedSent.push(sent);
      return true;
    }
    let bytes = 0;
    for (const chunk of chunks) bytes += chunk.length;
    this.#outgoing.push({ chunks, bytes, sent });
    this.#queuedBytes += bytes;
    this.#schedule();
    if (this.#queuedBytes > HIGH_WATER_BYTES) this.#wantsDrain = true;
    return !this.#wantsDrain;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    if (this.#peer !== undefined) this.#peer.#schedule();
  }

  queuedBytes(): number {
    return this.#queuedBytes;
  }

  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#schedule();
  }

  destroy(reason?: Error): void {
    this.#end(reason);
    if (this.#peer !== undefined) this.#peer.#end(reason);
  }

  /** Closes at once, tells on a later turn. */
  #end(reason: Error | undefined): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#turn.later(() => {
      this.#settleAll();
      for (const sent of this.#droppedSent.splice(0)) sent();
      this.#told = true;
      this.onClosed(reason);
    });
  }

  #settleAll(): void {
    const rest = this.#outgoing;
    this.#outgoing = [];
    this.#queuedBytes = 0;
    for (const { sent } of rest) sent?.();
  }

  #schedule(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    this.#turn.later(() => {
      this.#pumping = false;
      this.#pump();
    });
  }

  /** Hands what was queued before this turn to the other end, as far as it reads. */
  #pump(): void {
    const peer = this.#peer;
    let left = this.#outgoing.length;
    while (left-- > 0 && peer !== undefined && this.#state !== 'closed' && !peer.#paused) {
      const item = this.#outgoing.shift();
      if (item === undefined) break;
      // The peer may pause or destroy the link in the middle: what is left of this item waits at the head.
      const rest = peer.#receive(item);
      if (rest !== undefined) {
        this.#queuedBytes -= item.bytes - rest.bytes;
        this.#outgoing.unshift(rest);
        break;
      }
      this.#queuedBytes -= item.bytes;
      item.sent?.();
    }
    if (this.#state === 'closed') this.#settleAll();
    else this.#afterPump(peer);
  }

  #afterPump(peer: MemoryLink | undefined): void {
    if (this.#outgoing.length > 0) {
      if (peer !== undefined && !peer.#paused) this.#schedule();
    } else if (this.#state === 'closing') {
      this.#end(undefined);
      if (peer !== undefined) peer.#end(undefined);
    }
    if (this.#wantsDrain && this.#state === 'open' && this.#queuedBytes < HIGH_WATER_BYTES / 4) {
      this.#wantsDrain = false;
      this.onDrain();
    }
  }

  /** Delivers an item piece by piece; returns what could not be delivered. */
  #receive(item: Sent): Sent | undefined {
    const { chunks } = item;
    for (let i = 0; i < chunks.length; i++) {
      const chunk = chunks[i] as Uint8Array;
      let at = 0;
      while (at < chunk.length && this.#state === 'open' && !this.#paused) at += this.#deliver(chunk, at);
      if (at < chunk.length) {
        const rest = [chunk.subarray(at), ...chunks.slice(i + 1)];
        return { chunks: rest, bytes: rest.reduce((sum, part) => sum + part.length, 0), sent: item.sent };
      }
    }
    return undefined;
  }

  #deliver(chunk: Uint8Array, at: number): number {
    const wanted = this.target?.();
    const target = wanted !== undefined && wanted.length > 0 ? wanted : undefined;
    const count = Math.min(READ_MAX_BYTES, chunk.length - at, target?.length ?? READ_MAX_BYTES);
    const view = chunk.subarray(at, at + count);
    if (target !== undefined) {
      target.set(view, 0);
      this.onBytes(target.subarray(0, count));
    } else if (this.#scratch !== undefined) {
      this.#scratch.set(view, 0);
      this.onBytes(this.#scratch.subarray(0, count));
      this.#scratch.fill(POISON, 0, count);
    } else {
      this.onBytes(view);
    }
    return count;
  }
}
