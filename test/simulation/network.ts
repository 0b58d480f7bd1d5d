import { type Endpoint, type Link, type Listener, type Network, NetworkError } from '../../src/base/ports.ts';
import type { EventLoop } from './event-loop.ts';
import type { SeededRandom } from './random.ts';
import { Connection, type SimLink } from './sim-link.ts';
import { Kind, type Trace } from './trace.ts';

/** How the network behaves. May be changed at any time. */
export interface NetworkFaults {
  /** Least and most µs that a packet travels. */
  latencyUs: readonly [number, number];
  /** Probability that a packet takes 20 times as long. */
  slowPacket: number;
  /** Probability, for each packet, that its connection breaks. */
  lostConnection: number;
  /** Probability that what is sent at once is cut at a random point. */
  split: number;
}

export function calmNetwork(): NetworkFaults {
  return { latencyUs: [30, 400], slowPacket: 0, lostConnection: 0, split: 0.3 };
}

/** One run of a process: its sockets vanish with it. */
export interface NetworkUser {
  readonly host: string;
  readonly alive: boolean;
}

interface Listening {
  readonly user: NetworkUser;
  readonly endpoint: Endpoint;
  readonly accept: (link: Link) => void;
}

const FIRST_FREE_PORT = 32_768;
const DIAL_TIMEOUT_US = 10_000_000;
const scratchBytes = 64 * 1024;

/**
 * The network between the machines of a world. A machine is reached by its name; the wildcards and `localhost` mean
 * the machine itself.
 */
export class SimNetwork {
  faults: NetworkFaults = calmNetwork();
  /** Canary: `sent` runs before the bytes have been taken. */
  sentEarly = false;
  /** What `onBytes` gets, overwritten after each call. */
  readonly scratch = new Uint8Array(scratchBytes);
  readonly loop: EventLoop;
  readonly random: SeededRandom;
  readonly trace: Trace;
  readonly #listeners = new Map<string, Listening>();
  readonly #connections = new Set<Connection>();
  readonly #blocked = new Set<string>();
  #nextPort = FIRST_FREE_PORT;

  constructor(loop: EventLoop, random: SeededRandom, trace: Trace) {
    this.loop = loop;
    this.random = random;
    this.trace = trace;
  }

  networkFor(user: NetworkUser): Network {
    return {
      listen: (at, accept) => this.#listen(user, at, accept),
      dial: (to) => this.#dial(user, to),
    };
  }

  /** Nothing passes between two machines until {@link heal}; connections between them break after some time. */
  block(a: string, b: string): void {
    this.#blocked.add(pair(a, b));
  }

  /** Blocks every path from one group to the other. */
  partition(some: readonly string[], others: readonly string[]): void {
    for (const a of some) for (const b of others) this.block(a, b);
  }

  heal(): void {
    this.#blocked.clear();
    for (const connection of this.#connections) connection.resumed();
  }

  isBlocked(a: string, b: string): boolean {
    return a !== b && this.#blocked.has(pair(a, b));
  }

  /** Connections that are open at either end. */
  connectionCount(): number {
    return this.#connections.size;
  }

  /** Breaks one connection of a machine; false when it has none. */
  breakOne(host: string): boolean {
    const its = [...this.#connections].filter((connection) => connection.touches(host));
    if (its.length === 0) return false;
    this.random.pick(its).lose();
    return true;
  }

  /** The process is gone. `silently`: so is its machine, and nobody tells the other sides for a while. */
  ended(user: NetworkUser, silently: boolean): void {
    for (const [key, listening] of this.#listeners) if (listening.user === user) this.#listeners.delete(key);
    for (const connection of this.#connections) connection.userEnded(user, silently);
  }

  forget(connection: Connection): void {
    this.#connections.delete(connection);
  }

  latencyUs(): number {
    const [least, most] = this.faults.latencyUs;
    const us = this.random.between(least, most);
    return this.random.chance(this.faults.slowPacket) ? us * 20 : us;
  }

  #listen(user: NetworkUser, at: Endpoint, accept: (link: Link) => void): Promise<Listener> {
    return new Promise((resolve, reject) => {
      this.loop.after(5, () => {
        if (!user.alive) return;
        const port = at.port === 0 ? this.#freePort() : at.port;
        const key = `${user.host}:${port}`;
        if (this.#listeners.has(key)) {
          const text = `cannot listen on ${at.host}:${port}: the port is in use`;
          reject(new NetworkError('EADDRINUSE', text));
          return;
        }
        const listening: Listening = { user, endpoint: { host: at.host, port }, accept };
        this.#listeners.set(key, listening);
        this.trace.event(Kind.listen, key);
        const close = () => {
          if (this.#listeners.get(key) === listening) this.#listeners.delete(key);
          return Promise.resolve();
        };
        resolve({ endpoint: listening.endpoint, close });
      });
    });
  }

  #dial(user: NetworkUser, to: Endpoint): Promise<Link> {
    const host = isSelf(to.host) ? user.host : to.host;
    return new Promise((resolve, reject) => {
      const startedUs = this.loop.nowUs;
      const fail = (code: 'ECONNREFUSED' | 'ETIMEDOUT', reason: string) =>
        reject(new NetworkError(code, `cannot connect to ${to.host}:${to.port}: ${reason}`));
      const attempt = () => {
        if (!user.alive) return;
        if (this.isBlocked(user.host, host)) {
          if (this.loop.nowUs - startedUs >= DIAL_TIMEOUT_US) fail('ETIMEDOUT', 'no answer in time');
          else this.loop.after(1_000_000, attempt);
          return;
        }
        const listening = this.#listeners.get(`${host}:${to.port}`);
        if (listening?.user.alive !== true) {
          this.loop.after(
            this.latencyUs(),
            () => user.alive && fail('ECONNREFUSED', 'nothing listens there'),
          );
          return;
        }
        this.#connect(user, listening, { host, port: to.port }, resolve);
      };
      this.loop.after(this.latencyUs(), attempt);
    });
  }

  #connect(user: NetworkUser, listening: Listening, to: Endpoint, dialled: (link: SimLink) => void): void {
    const from = { host: user.host, port: this.#freePort() };
    const connection = new Connection(this, { user, endpoint: from }, { user: listening.user, endpoint: to });
    this.#connections.add(connection);
    this.trace.event(Kind.linkOpened, `${from.host}:${from.port}>${to.host}:${to.port}`);
    listening.accept(connection.accepting);
    this.loop.after(this.latencyUs(), () => {
      if (!user.alive) return;
      dialled(connection.dialling);
      connection.opened();
    });
  }

  #freePort(): number {
    return this.#nextPort++;
  }
}

function pair(a: string, b: string): string {
  return a < b ? `${a}|${b}` : `${b}|${a}`;
}

function isSelf(host: string): boolean {
  return ['', '0.0.0.0', '::', 'localhost', '127.0.0.1', '::1'].includes(host);
}
