import type { Uuid } from '../../base/uuid.ts';
import type { HandlerServices } from '../services.ts';

export interface LeaderHint {
  readonly leaderId: number;
  readonly leaderEpoch: number;
}

export interface LeaderEndpoint {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
  readonly rack: string | null;
}

/** KIP-951: no hint. */
export const NO_LEADER_HINT: LeaderHint = { leaderId: -1, leaderEpoch: -1 };

/** Collects, for answers that say NOT_LEADER_OR_FOLLOWER, who leads and where that node is reached (KIP-951). */
export class LeaderHints {
  readonly #services: HandlerServices;
  readonly #listenerName: string;
  readonly #endpoints = new Map<number, LeaderEndpoint>();

  constructor(services: HandlerServices, listenerName: string) {
    this.#services = services;
    this.#listenerName = listenerName;
  }

  of(topicId: Uuid, topic: string, partition: number): LeaderHint {
    const { metadata } = this.#services;
    const found = (metadata.topicById(topicId) ?? metadata.topic(topic))?.partitions[partition];
    if (found === undefined) return NO_LEADER_HINT;
    const node = metadata.aliveBroker(found.leader, this.#listenerName);
    if (node !== undefined) {
      const { id, host, port, rack } = node;
      this.#endpoints.set(id, { nodeId: id, host, port, rack });
    }
    return { leaderId: found.leader, leaderEpoch: found.leaderEpoch };
  }

  get endpoints(): readonly LeaderEndpoint[] {
    return [...this.#endpoints.values()];
  }
}
