import { type Endpoint, type Link, NetworkError } from '../../src/base/ports.ts';
import type { NetworkUser, SimNetwork } from './network.ts';
import { Kind } from './trace.ts';

const READ_MAX_BYTES = 64 * 1024;
/** Bytes of one direction that are on their way or wait for a receiver that has paused. */
const WINDOW_BYTES = 256 * 1024;
const HIGH_WATER_BYTES = 1024 * 1024;
const LOW_WATER_BYTES = HIGH_WATER_BYTES / 4;
const POISON = 0xdb;
/** How long a sender waits for an answer through a partition, and a peer for one of a machine that lost its power. */
const GIVE_UP_US = [5_000_000, 40_000_000] as const;

interface Side {
  readonly user: NetworkUser;
  readonly endpoint: Endpoint;
}

interface Item {
  chunks: Uint8Array[];
  readonly bytes: number;
  /** Bytes taken so far. */
  taken: number;
  readonly sent: (() => void) | undefined;
}

/** Two ends and what travels between them. */
export class Connection {
  readonly dialling: SimLink;
  readonly accepting: SimLink;
  readonly network: SimNetwork;
  #open = false;

  constructor(network: SimNetwork, dialling: Side, accepting: Side) {
    this.network = network;
    this.dialling = new SimLink(this, dialling, accepting);
    this.accepting = new SimLink(this, accepting, dialling);
    this.dialling.peer = this.accepting;
    this.accepting.peer = this.dialling;
  }

  /** The dialling side has its link: from here on bytes can reach it. */
  opened(): void {
    this.#open = true;
    this.resumed();
  }

  get isOpen(): boolean {
    return this.#open;
  }

  touches(host: string): boolean {
    return this.dialling.local.host === host || this.accepting.local.host === host;
  }

  isBlocked(): boolean {
    return this.network.isBlocked(this.dialling.local.host, this.accepting.local.host);
  }

  /** Breaks: each side notices at a time of its own, what is on its way is lost. */
  lose(): void {
    for (const link of [this.dialling, this.accepting]) {
      link.dropArrivals();
      link.breakLater(this.network.latencyUs() * 2, 'ECONNRESET');
    }
  }

  resumed(): void {
    this.dialling.travelOn();
    this.accepting.travelOn();
  }

  userEnded(user: NetworkUser, silently: boolean): void {
    for (const link of [this.dialling, this.accepting]) {
      if (link.user !== user || link.peer === undefined || link.vanished) continue;
      link.vanish(silently);
      const { random } = this.network;
      const us = silently ? random.between(1000, GIVE_UP_US[0]) : this.network.latencyUs();
      link.peer.breakLater(us, 'ECONNRESET');
    }
    this.forgetIfDone();
  }

  forgetIfDone(): void {
    if (this.dialling.vanished && this.accepting.vanished) this.network.forget(this);
  }
}

/**
 * One end. Chunks that are sent are read when the network takes them, not when `send` is called: an owner that
 * changes them before `sent` has run corrupts what arrives, as on a real socket.
 */
export class SimLink implements Link {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly user: NetworkUser;
  peer: SimLink | undefined;
  onBytes: (chunk: Uint8Array) => void = () => {};
  onDrain: () => void = () => {};
  onClosed: (reason?: Error) => void = () => {};
  target: (() => Uint8Array | undefined) | undefined;
  /** Nothing will be heard of this end any more. */
  vanished = false;
  readonly #connection: Connection;
  readonly #network: SimNetwork;
  readonly #queue: Item[] = [];
  #queuedBytes = 0;
  /** Packets from here to the peer, the oldest first. */
  readonly #travelling: Uint8Array[] = [];
  #travellingBytes = 0;
  #lastArrivalUs = 0;
  /** Packets that have arrived here and wait for the owner to read on. */
  #arrived: Uint8Array[] = [];
  #peerEnded = false;
  #delivering = false;
  #nextTarget: Uint8Array | undefined;
  #paused = false;
  #wantsDrain = false;
  #takeScheduled = false;
  #finSent = false;
  /** Of what was sent after the end. */
  readonly #droppedSent: (() => void)[] = [];
  /** The machine behind this end lost its power: nothing answers for it. */
  #silent = false;
  #cutOff = false;
  #state: 'open' | 'closing' | 'closed' = 'open';

  constructor(connection: Connection, self: Side, other: Side) {
    this.#connection = connection;
    this.#network = connection.network;
    this.user = self.user;
    this.local = self.endpoint;
    this.remote = other.endpoint;
  }

  send(chunks: readonly Uint8Array[], sent?: () => void): boolean {
    if (!this.user.alive) return true;
    if (this.#state !== 'open') {
      if (sent === undefined) return true;
      if (this.vanished) this.#later(1, sent);
      else this.#droppedSent.push(sent);
      return true;
    }
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    this.#queue.push({ chunks: chunks.filter((chunk) => chunk.length > 0), bytes, taken: 0, sent });
    this.#queuedBytes += bytes;
    if (this.#network.sentEarly && sent !== undefined) this.#later(0, sent);
    this.#scheduleTake();
    if (this.#queuedBytes > HIGH_WATER_BYTES) this.#wantsDrain = true;
    return !this.#wantsDrain;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#scheduleDelivery();
  }

  queuedBytes(): number {
    return this.#queuedBytes;
  }

  close(): void {
    if (this.#state !== 'open' || !this.user.alive) return;
    this.#state = 'closing';
    this.#scheduleTake();
  }

  destroy(reason?: Error): void {
    if (this.#state === 'closed' || !this.user.alive) return;
    this.#end(reason);
    const { peer } = this;
    if (peer === undefined) return;
    // With unread bytes the kernel resets, otherwise the peer reads what was on its way and then the end.
    if (this.#arrived.length > 0 || this.#network.random.chance(0.3)) {
      peer.dropArrivals();
      peer.breakLater(this.#network.latencyUs(), 'ECONNRESET');
    } else {
      this.#finSent = true;
      this.#arriveLater(() => peer.#endArrived());
    }
  }

  /** The process is gone: no handler runs any more. */
  vanish(silently: boolean): void {
    this.#state = 'closed';
    this.#silent = silently;
    this.vanished = true;
    this.#queue.length = 0;
    this.#arrived = [];
  }

  /** What is on its way to this end, or waits here, is lost, and nothing comes after it: a stream has no holes. */
  dropArrivals(): void {
    this.#cutOff = true;
    this.#arrived = [];
    if (this.peer !== undefined) {
      this.peer.#travelling.length = 0;
      this.peer.#travellingBytes = 0;
    }
  }

  breakLater(us: number, code: 'ECONNRESET' | 'ETIMEDOUT'): void {
    this.#later(us, () => {
      if (this.#state === 'closed') return;
      if (!this.#connection.isOpen) {
        // Its owner has not got the link yet.
        this.breakLater(1000, code);
        return;
      }
      this.#end(new NetworkError(code, `connection with ${this.remote.host}:${this.remote.port}: ${code}`));
    });
  }

  /** Things may move again: the dialling side is there, or a partition has healed. */
  travelOn(): void {
    for (const _ of this.#travelling) this.#arriveLater(() => this.#arrive());
    if (this.#finSent) this.#arriveLater(() => this.#finArrives());
    this.#scheduleDelivery();
  }

  #end(reason: Error | undefined): void {
    this.#state = 'closed';
    this.#arrived = [];
    this.#later(this.#network.random.between(1, 60), () => {
      const rest = this.#queue.splice(0);
      this.#queuedBytes = 0;
      if (!this.#network.sentEarly) for (const { sent } of rest) sent?.();
      for (const sent of this.#droppedSent.splice(0)) sent();
      this.#network.trace.event(Kind.linkClosed, this.#name());
      this.vanished = true;
      this.onClosed(reason);
      this.#connection.forgetIfDone();
    });
  }

  #scheduleTake(): void {
    if (this.#takeScheduled) return;
    this.#takeScheduled = true;
    this.#later(this.#network.random.between(1, 30), () => {
      this.#takeScheduled = false;
      this.#take();
    });
  }

  /** The kernel of this side takes what the window has room for. */
  #take(): void {
    if (this.#state === 'closed') return;
    const done: (() => void)[] = [];
    for (let item = this.#queue[0]; item !== undefined; item = this.#queue[0]) {
      if (item.taken < item.bytes) this.#packets(item);
      if (item.taken < item.bytes) break;
      this.#queue.shift();
      this.#queuedBytes -= item.bytes;
      if (item.sent !== undefined && !this.#network.sentEarly) done.push(item.sent);
    }
    for (const sent of done) sent();
    if (this.#queue.length === 0 && this.#state === 'closing') {
      this.#finSent = true;
      this.#arriveLater(() => this.#finArrives());
      this.#end(undefined);
    }
    if (this.#wantsDrain && this.#queuedBytes <= LOW_WATER_BYTES && this.#state === 'open') {
      this.#wantsDrain = false;
      this.onDrain();
    }
  }

  /** Cuts packets from an item, copying its bytes now. */
  #packets(item: Item): void {
    const { random, faults } = this.#network;
    while (item.taken < item.bytes && this.#travellingBytes < WINDOW_BYTES) {
      const most = Math.min(item.bytes - item.taken, READ_MAX_BYTES, WINDOW_BYTES - this.#travellingBytes);
      const size = random.chance(faults.split) ? random.between(1, most) : most;
      const packet = new Uint8Array(size);
      for (let filled = 0; filled < size; ) {
        const chunk = item.chunks[0] as Uint8Array;
        const part = chunk.subarray(0, size - filled);
        packet.set(part, filled);
        filled += part.length;
        if (part.length === chunk.length) item.chunks.shift();
        else item.chunks[0] = chunk.subarray(part.length);
      }
      item.taken += size;
      this.#travelling.push(packet);
      this.#travellingBytes += size;
      this.#network.trace.event(Kind.taken, this.#name(), size);
      this.#arriveLater(() => this.#arrive());
      if (random.chance(faults.lostConnection)) {
        this.#network.loop.after(random.below(2 * faults.latencyUs[1]), () => this.#connection.lose());
      }
    }
  }

  /** Something from here reaches the other side, behind everything before it. */
  #arriveLater(run: () => void): void {
    const atUs = Math.max(this.#network.loop.nowUs + this.#network.latencyUs(), this.#lastArrivalUs);
    this.#lastArrivalUs = atUs;
    this.#network.loop.after(atUs - this.#network.loop.nowUs, run);
  }

  /** The oldest packet reaches the peer. */
  #arrive(): void {
    const { peer } = this;
    if (peer === undefined || !this.#connection.isOpen) return;
    if (this.#connection.isBlocked()) {
      this.#stalled();
      return;
    }
    const packet = this.#travelling.shift();
    if (packet === undefined || peer.#cutOff) return;
    if (peer.#state === 'closed') {
      this.#travellingBytes -= packet.length;
      // Nobody is there: the answer is a reset.
      if (this.#state !== 'closed' && !peer.#silent) this.breakLater(this.#network.latencyUs(), 'ECONNRESET');
      return;
    }
    peer.#arrived.push(packet);
    peer.#deliver();
  }

  #stalled(): void {
    const [least, most] = GIVE_UP_US;
    this.#later(this.#network.random.between(least, most), () => {
      if (this.#state !== 'closed' && this.#travelling.length > 0 && this.#connection.isBlocked()) {
        this.breakLater(0, 'ETIMEDOUT');
      }
    });
  }

  #finArrives(): void {
    if (this.peer !== undefined) this.peer.#endArrived();
  }

  /** The peer sends no more. */
  #endArrived(): void {
    if (this.#peerEnded || this.#cutOff || !this.#connection.isOpen || this.#connection.isBlocked()) return;
    if (this.peer !== undefined && this.peer.#travelling.length > 0) return;
    this.#peerEnded = true;
    this.#deliver();
  }

  #scheduleDelivery(): void {
    if (this.#arrived.length === 0 && !this.#peerEnded) return;
    this.#later(this.#network.random.between(1, 20), () => this.#deliver());
  }

  /** Hands the owner what has arrived, one read after the other. */
  #deliver(): void {
    if (this.#delivering || !this.user.alive) return;
    this.#delivering = true;
    while (!this.#paused && this.#state === 'open') {
      const packet = this.#arrived[0];
      if (packet === undefined) break;
      this.#read(packet);
    }
    this.#delivering = false;
    if (this.#peerEnded && this.#arrived.length === 0 && !this.#paused) this.close();
  }

  #read(packet: Uint8Array): void {
    const target = this.#nextTarget;
    const count = Math.min(packet.length, target?.length ?? READ_MAX_BYTES);
    const part = packet.subarray(0, count);
    if (count === packet.length) this.#arrived.shift();
    else this.#arrived[0] = packet.subarray(count);
    this.#network.trace.event(Kind.bytes, this.#name(), count, part);
    const { scratch } = this.#network;
    const into = target ?? scratch;
    into.set(part, 0);
    this.onBytes(into.subarray(0, count));
    if (target === undefined) scratch.fill(POISON, 0, count);
    // Asked right after, as a socket does: the answer may be stale when the next bytes come.
    const wanted = this.#state === 'open' ? this.target?.() : undefined;
    this.#nextTarget =
      wanted !== undefined && wanted.length > 0 ? wanted.subarray(0, READ_MAX_BYTES) : undefined;
    if (this.peer === undefined) return;
    this.peer.#travellingBytes = Math.max(0, this.peer.#travellingBytes - count);
    if (this.peer.#queue.length > 0) this.peer.#scheduleTake();
  }

  #later(us: number, run: () => void): void {
    this.#network.loop.after(us, () => {
      if (this.user.alive) run();
    });
  }

  #name(): string {
    return `${this.local.host}:${this.local.port}>${this.remote.host}:${this.remote.port}`;
  }
}
