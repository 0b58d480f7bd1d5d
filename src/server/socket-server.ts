import type { Endpoint, FramePool, Link, Listener, Logger, Network, Ports, Timer } from '../base/ports.ts';
import { Acceptor } from './acceptor.ts';
import type { ListenerKind } from './call.ts';
import { type CallDispatcher, Connection, type ConnectionHost } from './connection.ts';
import { type ConnectionLimits, ConnectionQuotas } from './connection-quotas.ts';
import { FrameSlabs } from './frame-splitter.ts';
import { ANSWER_PACE_MS, CONNECTION_SWEEP_MS_MAX, DRAIN_MS_MAX } from './limits.ts';
import { RequestMemory } from './request-memory.ts';

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
  /** `queued.max.request.bytes` as it is now. */
  readonly queuedBytesMax: () => number;
  readonly limits: ConnectionLimits;
  /** True while the memory for answers is used up. */
  readonly areAnswersPressed: () => boolean;
  /** The one that brokers use among themselves, where there is one. */
  readonly interBrokerListener: string | undefined;
}

export interface BoundListener {
  readonly name: string;
  readonly kind: ListenerKind;
  readonly endpoint: Endpoint;
}

/**
 * All listeners and connections of a node. A listener is bound before its port is known to others, and connections
 * that come before {@link open} wait unread, as do those that the quotas do not let in yet.
 */
export class SocketServer implements ConnectionHost {
  readonly frameBytesMax: number;
  readonly pool: FramePool;
  readonly slabs: FrameSlabs;
  readonly turn: Ports['turn'];
  readonly dispatcher: CallDispatcher;
  readonly logger: Logger;
  readonly #options: SocketServerOptions;
  readonly #memory: RequestMemory;
  readonly #quotas: Readonly<Record<ListenerKind, ConnectionQuotas>>;
  readonly #listeners: Listener[] = [];
  readonly #acceptors = new Map<string, Acceptor>();
  readonly #connections = new Set<Connection>();
  #isOpen = false;
  #isClosed = false;
  #connectionNumber = 0;
  #sweep: Timer | undefined;
  #pace: Timer | undefined;

  constructor(options: SocketServerOptions) {
    const { pool, ports, queuedBytesMax, limits } = options;
    this.#options = options;
    this.#memory = new RequestMemory(pool, { ports, queuedBytesMax });
    this.#quotas = {
      broker: new ConnectionQuotas(limits, options.interBrokerListener),
      controller: new ConnectionQuotas(limits, undefined),
    };
    this.frameBytesMax = options.frameBytesMax;
    this.pool = pool;
    this.slabs = new FrameSlabs(this.#memory);
    this.turn = ports.turn;
    this.dispatcher = options.dispatcher;
    this.logger = options.logger;
  }

  /** Memory that requests hold. */
  get requestBytes(): number {
    return this.#memory.bytes;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Rejects with NetworkError where the address can't be had. */
  async bind(name: string, kind: ListenerKind, at: Endpoint): Promise<BoundListener> {
    const acceptor = this.#acceptorOf(name, kind);
    const listener = await this.#options.ports.network.listen(at, (link) => acceptor.accept(link));
    this.#listeners.push(listener);
    return { name, kind, endpoint: listener.endpoint };
  }

  /** Serves connections from now on. */
  open(): void {
    if (this.#isClosed) return;
    this.#isOpen = true;
    for (const acceptor of this.#acceptors.values()) acceptor.open();
    this.#planSweep();
    this.#planPace();
  }

  /**
   * Serves the link of the node to its own controller, which stays when the others are drained, counts for no quota,
   * and never waits for memory.
   */
  serveOwn(link: Link, listenerName: string): Connection {
    const { frameBytesMax, pool, turn, dispatcher, logger } = this;
    const slabs = new FrameSlabs(new RequestMemory(pool));
    const host = {
      ...{ frameBytesMax, pool, slabs, turn, dispatcher, logger },
      onClosed: () => slabs.close(),
    };
    return new Connection(host, link, listenerName, 'controller', 0);
  }

  /** Limits were changed. */
  limitsChanged(): void {
    this.#closeExcess();
    this.#pump();
  }

  onClosed(connection: Connection): void {
    this.#connections.delete(connection);
    this.#quotas[connection.listenerKind].closed(connection.listenerName, connection.remoteHost);
    this.#pump();
  }

  #acceptorOf(listener: string, kind: ListenerKind): Acceptor {
    const known = this.#acceptors.get(listener);
    if (known !== undefined) return known;
    const quotas = this.#quotas[kind];
    quotas.addListener(listener);
    const { ports } = this.#options;
    const serve = (link: Link) => this.#serve(link, listener, kind);
    const acceptor = new Acceptor({ listener, quotas, ports, logger: this.logger, serve });
    this.#acceptors.set(listener, acceptor);
    if (this.#isOpen) acceptor.open();
    return acceptor;
  }

  #serve(link: Link, listener: string, kind: ListenerKind): void {
    this.#connectionNumber += 1;
    const connection = new Connection(this, link, listener, kind, this.#connectionNumber);
    connection.lastActiveMs = this.#options.ports.clock.monotonicMs();
    this.#connections.add(connection);
    this.#quotas[kind].opened(listener, connection.remoteHost);
    this.#closeExcess();
  }

  /** Takes no more connections and no more requests, and resolves when what was under way is answered. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#sweep?.cancel();
    this.#pace?.cancel();
    for (const acceptor of this.#acceptors.values()) acceptor.close();
    const closing = this.#listeners.map((listener) => listener.close());
    for (const connection of this.#connections) connection.close();
    await this.#drained();
    for (const connection of [...this.#connections]) connection.destroy('the broker stops');
    await Promise.all(closing);
    this.#memory.close();
    this.slabs.close();
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
    const idleStepMs = idleMsMax < 0 ? CONNECTION_SWEEP_MS_MAX : Math.max(1, Math.floor(idleMsMax / 4));
    this.#sweep = ports.timers.after(Math.min(CONNECTION_SWEEP_MS_MAX, idleStepMs), () => {
      this.#closeIdle();
      this.limitsChanged();
      this.#planSweep();
    });
  }

  #planPace(): void {
    this.#pace = this.#options.ports.timers.after(ANSWER_PACE_MS, () => {
      if (this.#options.areAnswersPressed()) this.#closeSlowReaders();
      if (this.#memory.isLargeWanted) this.#closeKeepers();
      this.#planPace();
    });
  }

  #closeSlowReaders(): void {
    for (const connection of this.#connections) {
      if (!connection.takesTooLittle()) continue;
      this.logger.info(
        `Closing connection ${connection.id}: it does not take its answers while memory for others lacks`,
      );
      connection.destroy('the peer does not take its answers');
    }
  }

  /** Memory of a request that waits behind another of its connection does not come back by itself. */
  #closeKeepers(): void {
    for (const connection of this.#connections) {
      if (!connection.keepsLargeFrame()) continue;
      this.logger.info(
        `Closing connection ${connection.id}: its large request waits for an earlier one while others wait for its memory`,
      );
      connection.destroy('a large request waited too long for an earlier one');
    }
  }

  #closeIdle(): void {
    const { idleMsMax, ports } = this.#options;
    const nowMs = ports.clock.monotonicMs();
    for (const connection of this.#connections) {
      if (connection.takeActivity()) connection.lastActiveMs = nowMs;
      else if (idleMsMax >= 0 && nowMs - connection.lastActiveMs > idleMsMax) {
        this.logger.debug(`Closing connection ${connection.id}: idle`);
        connection.destroy('idle for longer than connections.max.idle.ms');
      }
    }
  }

  #pump(): void {
    for (const acceptor of this.#acceptors.values()) if (acceptor.waitingCount > 0) acceptor.pump();
  }

  /** A protected listener went over the limit of the node, or the limit was lowered: those go that were idle longest. */
  #closeExcess(): void {
    for (const kind of ['broker', 'controller'] as const) {
      const quotas = this.#quotas[kind];
      const { excess } = quotas;
      if (excess === 0) continue;
      const unprotected = [...this.#connections].filter(
        (one) => one.listenerKind === kind && !quotas.isProtected(one.listenerName),
      );
      unprotected.sort((a, b) => a.lastActiveMs - b.lastActiveMs);
      for (const connection of unprotected.slice(0, excess)) {
        this.logger.info(`Closing connection ${connection.id}: there are more than max.connections`);
        connection.destroy('there are more than max.connections');
      }
    }
  }
}
