import type { Endpoint, FramePool, Link, Listener, Logger, Network, Ports, Timer } from '../base/ports.ts';
import type { ListenerKind } from './call.ts';
import { type CallDispatcher, Connection } from './connection.ts';
import { FrameSlabs } from './frame-splitter.ts';
import { DRAIN_MS_MAX, IDLE_SWEEP_MS_MAX } from './limits.ts';

/** How often a draining server looks whether its connections are gone. */
const DRAIN_STEP_MS = 20;

export interface SocketServerOptions {
  readonly ports: Pick<Ports, 'clock' | 'timers' | 'turn'> & { readonly network: Network };
  readonly pool: FramePool;
  readonly dispatcher: CallDispatcher;
  readonly logger: Logger;
  /** `socket.request.max.bytes`. */
  readonly frameBytesMax: number;
  /** `connections.max.idle.ms`; negative: never. */
  readonly idleMsMax: number;
}

export interface BoundListener {
  readonly name: string;
  readonly kind: ListenerKind;
  readonly endpoint: Endpoint;
}

interface Guest {
  readonly link: Link;
  readonly name: string;
  readonly kind: ListenerKind;
}

/**
 * All listeners and connections of a node. A listener is bound before its port is known to others, and connections
 * that come before {@link open} wait unread.
 */
export class SocketServer {
  readonly #options: SocketServerOptions;
  readonly #slabs: FrameSlabs;
  readonly #listeners: Listener[] = [];
  readonly #connections = new Map<Connection, number>();
  #waiting: Guest[] = [];
  #isOpen = false;
  #isClosed = false;
  #connectionCount = 0;
  #sweep: Timer | undefined;

  constructor(options: SocketServerOptions) {
    this.#options = options;
    this.#slabs = new FrameSlabs(options.pool);
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Rejects with NetworkError where the address can't be had. */
  async bind(name: string, kind: ListenerKind, at: Endpoint): Promise<BoundListener> {
    const listener = await this.#options.ports.network.listen(at, (link) =>
      this.#accept({ link, name, kind }),
    );
    this.#listeners.push(listener);
    return { name, kind, endpoint: listener.endpoint };
  }

  /** Serves connections from now on. */
  open(): void {
    this.#isOpen = true;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const guest of waiting) {
      guest.link.resume();
      this.#serve(guest);
    }
    if (this.#options.idleMsMax >= 0) this.#planSweep();
  }

  /** Serves the link of the node to its own controller, which stays when the others are drained. */
  serveOwn(link: Link, listenerName: string): Connection {
    return this.#connect({ link, name: listenerName, kind: 'controller' }, () => {});
  }

  #serve(guest: Guest): void {
    const connection = this.#connect(guest, (closed) => this.#connections.delete(closed));
    this.#connections.set(connection, this.#options.ports.clock.monotonicMs());
  }

  #connect({ link, name, kind }: Guest, onClosed: (connection: Connection) => void): Connection {
    const { local, remote } = link;
    this.#connectionCount += 1;
    return new Connection({
      id: `${local.host}:${local.port}-${remote.host}:${remote.port}-${this.#connectionCount}`,
      link,
      listenerName: name,
      listenerKind: kind,
      frameBytesMax: this.#options.frameBytesMax,
      pool: this.#options.pool,
      slabs: this.#slabs,
      turn: this.#options.ports.turn,
      dispatcher: this.#options.dispatcher,
      logger: this.#options.logger,
      onClosed,
    });
  }

  /** Takes no more connections and no more requests, and resolves when what was under way is answered. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#sweep?.cancel();
    for (const { link } of this.#waiting) link.destroy();
    this.#waiting = [];
    const closing = this.#listeners.map((listener) => listener.close());
    for (const connection of this.#connections.keys()) connection.close();
    await this.#drained();
    for (const connection of [...this.#connections.keys()]) connection.destroy('the broker stops');
    await Promise.all(closing);
    this.#slabs.close();
  }

  #accept(guest: Guest): void {
    if (this.#isClosed) guest.link.destroy();
    else if (this.#isOpen) this.#serve(guest);
    else {
      guest.link.pause();
      guest.link.onClosed = () => {
        this.#waiting = this.#waiting.filter(({ link }) => link !== guest.link);
      };
      this.#waiting.push(guest);
    }
  }

  #drained(): Promise<void> {
    const { timers, clock } = this.#options.ports;
    const deadlineMs = clock.monotonicMs() + DRAIN_MS_MAX;
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.#connections.size === 0 || clock.monotonicMs() >= deadlineMs) resolve();
        else timers.after(DRAIN_STEP_MS, look);
      };
      this.#options.ports.turn.later(look);
    });
  }

  #planSweep(): void {
    const { idleMsMax, ports } = this.#options;
    const everyMs = Math.min(IDLE_SWEEP_MS_MAX, Math.max(1, Math.floor(idleMsMax / 4)));
    this.#sweep = ports.timers.after(everyMs, () => {
      this.#closeIdle();
      this.#planSweep();
    });
  }

  #closeIdle(): void {
    const nowMs = this.#options.ports.clock.monotonicMs();
    for (const [connection, lastActiveMs] of this.#connections) {
      if (connection.takeActivity()) this.#connections.set(connection, nowMs);
      else if (nowMs - lastActiveMs > this.#options.idleMsMax) {
        this.#options.logger.debug(`Closing connection ${connection.id}: idle`);
        connection.destroy('idle for longer than connections.max.idle.ms');
      }
    }
  }
}
