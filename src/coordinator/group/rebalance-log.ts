import type { Clock, LogFields, Logger } from '../../base/ports.ts';
import type { ConsumerGroup } from './consumer-group.ts';

interface Begun {
  readonly startMs: number;
  reason: string;
}

/** Tells of every rebalance of a consumer group: why it began, and how long it took. */
export class RebalanceLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #begun = new Map<string, Begun>();

  constructor({ logger, clock }: { readonly logger: Logger; readonly clock: Clock }) {
    this.#logger = logger;
    this.#clock = clock;
  }

  /** The group epoch is bumped. One that comes while another is under way counts from the beginning of that. */
  begins(groupId: string, reason: string, fields: LogFields): void {
    this.#logger.info(`Rebalance of group ${groupId} begins`, { reason, ...fields });
    const begun = this.#begun.get(groupId);
    if (begun === undefined) this.#begun.set(groupId, { reason, startMs: this.#clock.monotonicMs() });
    else begun.reason = reason;
  }

  /** The group has changed: tells of it where that was the end of a rebalance. */
  changed(group: ConsumerGroup): void {
    const begun = this.#begun.get(group.groupId);
    if (begun === undefined) return;
    const { state } = group;
    if (state !== 'Stable' && state !== 'Empty') return;
    this.#begun.delete(group.groupId);
    const { epoch, size: members } = group;
    if (state === 'Empty') {
      this.#logger.info(`Group ${group.groupId} is empty`, { epoch });
      return;
    }
    this.#logger.info(`Group ${group.groupId} is stable`, {
      epoch,
      members,
      reason: begun.reason,
      ms: Math.round(this.#clock.monotonicMs() - begun.startMs),
    });
  }

  forget(groupId: string): void {
    this.#begun.delete(groupId);
  }
}
