import type { Link, Logger, Timer, Timers } from '../base/ports.ts';
import type { ConnectionQuotas } from './connection-quotas.ts';
import { CONNECTION_WAIT_MS_MAX, CONNECTIONS_WAITING_MAX, REFUSAL_WARNING_MS } from './limits.ts';

interface Guest {
  readonly link: Link;
  readonly cameAtMs: number;
  /** The making of it was counted. */
  isCounted: boolean;
  isPaused: boolean;
}

export interface AcceptorOptions {
  readonly listener: string;
  readonly quotas: ConnectionQuotas;
  readonly ports: { readonly timers: Timers; readonly clock: { monotonicMs(): number } };
  readonly logger: Logger;
  serve(link: Link): void;
}

/**
 * The door of one listener. Connections that the quotas do not let in yet wait outside, unread, in their order, as in
 * the backlog of a socket that is not accepted from; {@link CONNECTIONS_WAITING_MAX} of them at most.
 */
export class Acceptor {
  readonly #options: AcceptorOptions;
  #waiting: Guest[] = [];
  #isOpen = false;
  #isClosed = false;
  /** Nobody comes in before it. */
  #delay: Timer | undefined;
  #refused = 0;
  #warnedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: AcceptorOptions) {
    this.#options = options;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  accept(link: Link): void {
    if (this.#isClosed) {
      link.destroy();
      return;
    }
    const guest: Guest = { link, cameAtMs: this.#nowMs(), isCounted: false, isPaused: false };
    const mayEnter = this.#isOpen && this.#delay === undefined && this.#waiting.length === 0;
    if (mayEnter && this.#letIn(guest)) return;
    if (this.#waiting.length >= CONNECTIONS_WAITING_MAX) {
      this.#refuse(link);
      return;
    }
    guest.isPaused = true;
    link.pause();
    link.onClosed = () => {
      this.#waiting = this.#waiting.filter((one) => one !== guest);
    };
    this.#waiting.push(guest);
  }

  /** Lets in from now on. */
  open(): void {
    this.#isOpen = true;
    this.pump();
  }

  /** Lets in those that wait, as far as they may: a connection ended, a limit was raised, time has passed. */
  pump(): void {
    if (!this.#isOpen || this.#delay !== undefined) return;
    for (let guest = this.#waiting[0]; guest !== undefined; guest = this.#waiting[0]) {
      const waitedMs = this.#nowMs() - guest.cameAtMs;
      if (waitedMs > CONNECTION_WAIT_MS_MAX) {
        this.#waiting.shift();
        this.#refuse(guest.link);
      } else if (this.#letIn(guest)) this.#waiting.shift();
      else return;
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#isOpen = false;
    this.#delay?.cancel();
    for (const { link } of this.#waiting) {
      link.onClosed = () => {};
      link.destroy();
    }
    this.#waiting = [];
  }

  /** False: it waits on. */
  #letIn(guest: Guest): boolean {
    const { listener, quotas, logger, ports } = this.#options;
    if (!guest.isCounted) {
      guest.isCounted = true;
      const delayMs = quotas.creationDelayMs(listener, this.#nowMs());
      if (delayMs > 0) {
        this.#delay = ports.timers.after(delayMs, () => {
          this.#delay = undefined;
          this.pump();
        });
        return false;
      }
    }
    if (!quotas.hasRoom(listener)) return false;
    const { link } = guest;
    link.onClosed = () => {};
    if (guest.isPaused) link.resume();
    const ipLimit = quotas.fullIpLimit(link.remote.host);
    if (ipLimit !== undefined) {
      logger.info(`Refused a connection from ${link.remote.host}: it has ${ipLimit} already, its limit`);
      link.destroy();
      return true;
    }
    this.#options.serve(link);
    return true;
  }

  #refuse(link: Link): void {
    const { listener, logger } = this.#options;
    link.onClosed = () => {};
    link.destroy();
    this.#refused += 1;
    const nowMs = this.#nowMs();
    if (nowMs - this.#warnedAtMs < REFUSAL_WARNING_MS) return;
    logger.warn(
      `Listener ${listener} is at its limit of connections and ${this.#waiting.length} wait; refused ${this.#refused} more`,
    );
    this.#warnedAtMs = nowMs;
    this.#refused = 0;
  }

  #nowMs(): number {
    return this.#options.ports.clock.monotonicMs();
  }
}
