import { parseConnectionOverrides } from '../config/addresses.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import { CREATION_BURST_SECONDS, CREATION_DELAY_MS_MAX } from './limits.ts';

/** The limits of connections as they are now. */
export interface ConnectionLimits {
  /** `max.connections`. */
  connectionsMax(): number;
  /** `listener.name.<listener>.max.connections`. */
  listenerConnectionsMax(listener: string): number;
  /** `max.connections.per.ip`, or what `max.connections.per.ip.overrides` says of the address. */
  perIpMax(host: string): number;
  /** `max.connection.creation.rate`, for each second. */
  creationRateMax(): number;
  /** `listener.name.<listener>.max.connection.creation.rate`. */
  listenerCreationRateMax(listener: string): number;
}

/** No limit, as Kafka's defaults say it. */
const UNLIMITED = 0x7fff_ffff;

/** A bucket of connections that may be made at once; it fills again at the rate. */
class CreationRate {
  #left: number | undefined;
  #atMs = 0;

  /** Counts one connection; the ms until it may be served. */
  take(rate: number, nowMs: number): number {
    if (rate >= UNLIMITED) {
      this.#left = undefined;
      return 0;
    }
    const most = rate * CREATION_BURST_SECONDS;
    const came = ((nowMs - this.#atMs) / 1000) * rate;
    const left = Math.min(most, (this.#left ?? most) + came) - 1;
    this.#left = Math.max(left, -Math.max(1, rate));
    this.#atMs = nowMs;
    if (left >= 0) return 0;
    return rate === 0 ? CREATION_DELAY_MS_MAX : Math.min(CREATION_DELAY_MS_MAX, (-left / rate) * 1000);
  }
}

/**
 * Counts the connections of one set of listeners (those of the broker, or those of the controller) and says when one
 * more may be served. As in Apache Kafka, the listener that brokers use among themselves is not held up by the limits
 * of the node where clients have another one.
 */
export class ConnectionQuotas {
  readonly #limits: ConnectionLimits;
  readonly #interBrokerListener: string | undefined;
  readonly #perListener = new Map<string, number>();
  readonly #perIp = new Map<string, number>();
  readonly #rate = new CreationRate();
  readonly #listenerRates = new Map<string, CreationRate>();
  #total = 0;

  constructor(limits: ConnectionLimits, interBrokerListener: string | undefined) {
    this.#limits = limits;
    this.#interBrokerListener = interBrokerListener;
  }

  get total(): number {
    return this.#total;
  }

  addListener(listener: string): void {
    if (this.#perListener.has(listener)) return;
    this.#perListener.set(listener, 0);
    this.#listenerRates.set(listener, new CreationRate());
  }

  /** Counts the making of a connection; the ms until it may be served. */
  creationDelayMs(listener: string, nowMs: number): number {
    const ofNode = this.isProtected(listener) ? 0 : this.#rate.take(this.#limits.creationRateMax(), nowMs);
    const rate = this.#limits.listenerCreationRateMax(listener);
    return Math.max(ofNode, this.#listenerRates.get(listener)?.take(rate, nowMs) ?? 0);
  }

  /** Whether one more may be served now. */
  hasRoom(listener: string): boolean {
    if (this.#countOf(listener) >= this.#limits.listenerConnectionsMax(listener)) return false;
    return this.isProtected(listener) || this.#total < this.#limits.connectionsMax();
  }

  /** The limit of an address that can have no more connections; undefined where it can. */
  fullIpLimit(host: string): number | undefined {
    const most = this.#limits.perIpMax(host);
    return (this.#perIp.get(host) ?? 0) >= most ? most : undefined;
  }

  /** How many must go so that the limit of the node holds: a protected listener may exceed it, at the cost of others. */
  get excess(): number {
    return Math.max(0, this.#total - this.#limits.connectionsMax());
  }

  isProtected(listener: string): boolean {
    return listener === this.#interBrokerListener && this.#perListener.size > 1;
  }

  opened(listener: string, host: string): void {
    this.#total += 1;
    this.#perListener.set(listener, this.#countOf(listener) + 1);
    this.#perIp.set(host, (this.#perIp.get(host) ?? 0) + 1);
  }

  closed(listener: string, host: string): void {
    this.#total -= 1;
    this.#perListener.set(listener, this.#countOf(listener) - 1);
    const left = (this.#perIp.get(host) ?? 0) - 1;
    if (left > 0) this.#perIp.set(host, left);
    else this.#perIp.delete(host);
  }

  #countOf(listener: string): number {
    return this.#perListener.get(listener) ?? 0;
  }
}

/** The settings that {@link connectionLimitsOf} reads. */
export const CONNECTION_LIMIT_SETTINGS = [
  'max.connections',
  'max.connections.per.ip',
  'max.connections.per.ip.overrides',
  'max.connection.creation.rate',
] as const;

/** The limits that the settings give, dynamic ones included. */
export function connectionLimitsOf(config: () => BrokerConfig): ConnectionLimits {
  let overridesText = '';
  let overrides: ReadonlyMap<string, number> = new Map();
  return {
    connectionsMax: () => config().get('max.connections'),
    // Apache Kafka counts the limit of all listeners for each one too, where it has none of its own.
    listenerConnectionsMax: (listener) => config().getForListener(listener, 'max.connections'),
    perIpMax: (host) => {
      const text = config().get('max.connections.per.ip.overrides');
      if (text !== overridesText) {
        overridesText = text;
        overrides = parseConnectionOverrides(text).limits;
      }
      return overrides.get(host) ?? config().get('max.connections.per.ip');
    },
    creationRateMax: () => config().get('max.connection.creation.rate'),
    listenerCreationRateMax: (listener) => config().getForListener(listener, 'max.connection.creation.rate'),
  };
}
