import {
  connect,
  createServer,
  type OnReadOpts,
  type Server,
  Socket,
  type SocketConstructorOpts,
} from 'node:net';
import { Crowd } from '../base/crowd.ts';
import { shareOpenFiles } from '../base/open-files-shares.ts';
import type { Clock, Endpoint, Link, Listener, Logger, Network } from '../base/ports.ts';
import { networkError } from './network-error.ts';
import { type LinkShare, READ_FIRST_BYTES, TcpLink } from './tcp-link.ts';
import type { LoopTurn } from './turn.ts';

const SCRATCH_BYTES = 64 * 1024;
/** Finds peers that vanished without a word, long before an idle limit would. */
const KEEP_ALIVE_AFTER_MS = 60_000;
/** The kernel caps it with its own limit. */
const BACKLOG = 4096;
/** A listener that can't accept says so once in so long. */
const ACCEPT_WARNING_MS = 10_000;
/** A connection waits no longer for others that arrive, or so many ticks where these are longer. */
const ARRIVAL_WAIT_MS_MAX = 5;
const ARRIVAL_WAIT_TICKS_MIN = 4;

export interface TcpOptions {
  readonly turn: LoopTurn;
  readonly clock: Clock;
  readonly logger: Logger;
  /**
   * How bytes are read: 'onread' straight into buffers of our own, 'data' as events with a fresh buffer for each.
   * Default: 'onread' where one buffer can serve all sockets (not on Windows, where reads complete later).
   */
  readonly reading?: 'onread' | 'data';
  /** For tests: overwrites what `onBytes` was given after each call. */
  readonly poison?: boolean;
  /** Files and sockets that this process may have open. Default: what the system says, where it says it. */
  readonly openFilesMax?: number | undefined;
}

/** What is needed of the handle behind an accepted socket; there in Node 20 to 26 though not documented. */
interface Handle {
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
}

export class TcpNetwork implements Network, LinkShare {
  readonly scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  readonly shortScratch = this.scratch.subarray(0, READ_FIRST_BYTES);
  readonly poison: boolean;
  readonly #turn: LoopTurn;
  readonly #logger: Logger;
  readonly #onread: boolean;
  readonly #acceptedMax: number;
  readonly #clock: Clock;
  /**
   * Connections that were accepted and are not read yet. libuv accepts one per tick of the loop: if what the first of them
   * ask for were done in between, those behind would come late, and members that start together would make a generation
   * of their group for each.
   */
  readonly #arrivals: Crowd<() => void>;
  #acceptedCount = 0;
  #refused = 0;
  #warnedAtMs = Number.NEGATIVE_INFINITY;
  #dirty: TcpLink[] = [];
  #urgent: TcpLink[] = [];

  constructor(options: TcpOptions) {
    this.#turn = options.turn;
    this.#arrivals = new Crowd({
      ...{ clock: options.clock, turn: options.turn },
      ...{ waitMsMax: ARRIVAL_WAIT_MS_MAX, waitTicksMin: ARRIVAL_WAIT_TICKS_MIN },
      admit: (all) => {
        for (const letIn of all) letIn();
      },
    });
    this.#logger = options.logger;
    this.poison = options.poison ?? false;
    this.#clock = options.clock;
    this.#acceptedMax = shareOpenFiles(options.openFilesMax).connections;
    this.#onread = (options.reading ?? (process.platform === 'win32' ? 'data' : 'onread')) === 'onread';
  }

  listen(at: Endpoint, accept: (link: Link) => void): Promise<Listener> {
    let where = `${at.host === '' ? '*' : at.host}:${at.port}`;
    const server = createServer({
      allowHalfOpen: true,
      // It is read once it is let in.
      pauseOnConnect: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_AFTER_MS,
    });
    server.on('connection', (socket) => {
      if (this.#acceptedCount + this.#arrivals.waiting.length >= this.#acceptedMax) {
        // Without open files the logs would fail next.
        socket.destroy();
        this.#cannotAccept(
          `accept on ${where}: ${this.#acceptedMax} connections use the files that may be open`,
        );
        return;
      }
      this.#arrivals.add(() => {
        const link = this.#accepted(socket);
        if (link !== undefined) accept(link);
      });
    });
    return new Promise((resolve, reject) => {
      const refused = (error: Error) => reject(networkError(error, `cannot listen on ${where}`));
      server.once('error', refused);
      const host = at.host === '' ? {} : { host: at.host };
      server.listen({ ...host, port: at.port, backlog: BACKLOG }, () => {
        server.off('error', refused);
        server.on('error', (error) => this.#cannotAccept(networkError(error, `accept on ${where}`).message));
        const listener = new TcpListener(server, this.#turn);
        where = `${listener.endpoint.host}:${listener.endpoint.port}`;
        resolve(listener);
      });
    });
  }

  dial(to: Endpoint): Promise<Link> {
    const link = new TcpLink(this);
    const socket = connect({
      host: to.host,
      port: to.port,
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_AFTER_MS,
      ...(this.#onread ? { onread: onreadOf(link) } : {}),
    });
    return new Promise((resolve, reject) => {
      const refused = (error: Error) =>
        reject(networkError(error, `cannot connect to ${to.host}:${to.port}`));
      socket.once('error', refused);
      socket.once('connect', () => {
        socket.off('error', refused);
        link.attach(socket);
        resolve(link);
      });
    });
  }

  flushLater(link: TcpLink): void {
    if (this.#dirty.length === 0) this.#turn.atEnd(this.#flushAll);
    this.#dirty.push(link);
  }

  flushFirst(link: TcpLink): void {
    if (this.#urgent.length === 0) this.#turn.first(this.#flushUrgent);
    this.#urgent.push(link);
  }

  later(run: () => void): void {
    this.#turn.later(run);
  }

  readonly #flushAll = (): void => {
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const link of dirty) link.flushNow();
  };

  /** One behind the other: a peer that is woken once reads faster than one that is woken for each. */
  readonly #flushUrgent = (): void => {
    const urgent = this.#urgent;
    this.#urgent = [];
    for (const link of urgent) link.flushNow();
  };

  readonly #left = (): void => {
    this.#acceptedCount -= 1;
  };

  #cannotAccept(why: string): void {
    this.#refused += 1;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#warnedAtMs < ACCEPT_WARNING_MS) return;
    this.#logger.warn(`${why}; ${this.#refused} refused since this was last said`);
    this.#warnedAtMs = nowMs;
    this.#refused = 0;
  }

  /**
   * The link of an accepted socket. A server knows no `onread` option, so the handle is moved into a second socket made
   * with it. Undefined when the peer is gone already.
   */
  #accepted(accepted: Socket): TcpLink | undefined {
    const link = new TcpLink(this);
    const handle: unknown = Reflect.get(accepted, '_handle');
    if (handle === null || handle === undefined) return undefined;
    if (!this.#onread || !takesUserBuffer(handle)) {
      this.#attach(link, accepted);
      accepted.resume();
      return link;
    }
    Reflect.set(accepted, '_handle', null);
    accepted.destroy();
    // Typed apart: `handle` is not documented, and the types of Node forget `onread` here.
    const options: SocketConstructorOpts & { handle: unknown; onread: OnReadOpts } = {
      handle,
      allowHalfOpen: true,
      onread: onreadOf(link),
    };
    this.#attach(link, new Socket(options));
    return link;
  }

  #attach(link: TcpLink, socket: Socket): void {
    this.#acceptedCount += 1;
    socket.on('close', this.#left);
    link.attach(socket);
  }
}

function onreadOf(link: TcpLink): OnReadOpts {
  return { buffer: link.nextBuffer, callback: link.bytesRead };
}

function takesUserBuffer(handle: unknown): handle is Handle {
  return (
    typeof handle === 'object' &&
    handle !== null &&
    typeof Reflect.get(handle, 'useUserBuffer') === 'function' &&
    typeof Reflect.get(handle, 'readStart') === 'function'
  );
}

class TcpListener implements Listener {
  readonly endpoint: Endpoint;
  readonly #server: Server;
  readonly #turn: LoopTurn;
  #closed: Promise<void> | undefined;

  constructor(server: Server, turn: LoopTurn) {
    this.#server = server;
    this.#turn = turn;
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('a TCP server has no address');
    this.endpoint = { host: address.address, port: address.port };
  }

  /** The port is free as soon as this is called; Node's own callback would wait for every connection to end. */
  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      this.#server.close();
      this.#turn.later(resolve);
    });
    return this.#closed;
  }
}
