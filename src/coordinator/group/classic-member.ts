import type { JoinGroupResponse } from '../../protocol/messages/join-group.ts';
import type { SyncGroupResponse } from '../../protocol/messages/sync-group.ts';
import type { CoordinatorTimer } from '../runtime/timer.ts';

/** A way to assign that a member can do, with what it tells the leader about itself for it. */
export interface MemberProtocol {
  readonly name: string;
  readonly metadata: Uint8Array;
}

export type AnswerJoin = (response: JoinGroupResponse) => void;
export type AnswerSync = (response: SyncGroupResponse) => void;

export interface ClassicMemberInput {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly rebalanceTimeoutMs: number;
  readonly sessionTimeoutMs: number;
  readonly protocols: readonly MemberProtocol[];
  readonly assignment: Uint8Array;
}

export const NO_BYTES = new Uint8Array(0);

/** A member of a classic group: what the log keeps of it, and what it waits for right now. */
export class ClassicGroupMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  rebalanceTimeoutMs: number;
  sessionTimeoutMs: number;
  protocols: readonly MemberProtocol[];
  assignment: Uint8Array;
  /** Joined and has not been told its generation yet: it can't send heartbeats. */
  isNew = false;
  awaitingJoin: AnswerJoin | undefined;
  awaitingSync: AnswerSync | undefined;
  session: CoordinatorTimer | undefined;

  constructor(input: ClassicMemberInput) {
    this.memberId = input.memberId;
    this.groupInstanceId = input.groupInstanceId;
    this.clientId = input.clientId;
    this.clientHost = input.clientHost;
    this.rebalanceTimeoutMs = input.rebalanceTimeoutMs;
    this.sessionTimeoutMs = input.sessionTimeoutMs;
    this.protocols = input.protocols;
    this.assignment = input.assignment;
  }

  get isStatic(): boolean {
    return this.groupInstanceId !== null;
  }

  /** Who waits for a rebalance need not send heartbeats; a new one can't, and is bound by its join's own timeout. */
  get isExcused(): boolean {
    return !this.isNew && (this.awaitingJoin !== undefined || this.awaitingSync !== undefined);
  }

  /** What it tells about itself for this protocol; nothing for one that it does not know. */
  metadataFor(protocol: string | null): Uint8Array {
    return this.protocols.find(({ name }) => name === protocol)?.metadata ?? NO_BYTES;
  }

  /** Whether these are the protocols that it has, in the same order and with the same metadata. */
  hasProtocols(protocols: readonly MemberProtocol[]): boolean {
    if (protocols.length !== this.protocols.length) return false;
    return this.protocols.every((own, at) => {
      const other = protocols[at]!;
      return own.name === other.name && Buffer.compare(own.metadata, other.metadata) === 0;
    });
  }

  /** The first of its protocols among these. */
  voteFor(candidates: ReadonlySet<string>): string | undefined {
    return this.protocols.find(({ name }) => candidates.has(name))?.name;
  }
}
