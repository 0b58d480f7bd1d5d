import type { Timer, Timers } from '../base/ports.ts';

/** Members of one connection whose end is told; those beyond have only their session timeouts. */
const MEMBERS_PER_CONNECTION_MAX = 1000;

/** What is asked of a connection. */
export interface ClosablePeer {
  /** Calls back once when the connection has ended, at once where it has already. */
  whenClosed(run: () => void): void;
}

export interface MemberConnectionsOptions {
  readonly timers: Timers;
  /** `group.disconnect.grace.ms`; -1 leaves members to their session timeouts. */
  readonly graceMs: number;
  /** The member's connection ended so long ago, and nothing came from it since. */
  readonly onGone: (groupId: string, memberId: string) => void;
}

interface Seen {
  readonly groupId: string;
  readonly memberId: string;
  peer: ClosablePeer;
  timer: Timer | undefined;
}

/**
 * Which connection the members of classic groups speak through, so that one whose process ended leaves its group after
 * a grace rather than with its session. What it sends through another connection meanwhile keeps it. Static members are
 * not to be told of here: that they may be gone for as long as a session lasts is what they are for (KIP-345).
 */
export class MemberConnections {
  readonly #options: MemberConnectionsOptions;
  /** By group and member. */
  readonly #members = new Map<string, Map<string, Seen>>();
  readonly #ofPeer = new Map<ClosablePeer, Set<Seen>>();
  #closed = false;

  constructor(options: MemberConnectionsOptions) {
    this.#options = options;
  }

  /** A member that the coordinator knows has spoken. */
  spoke(peer: ClosablePeer, groupId: string, memberId: string): void {
    if (this.#options.graceMs < 0 || this.#closed) return;
    const known = this.#members.get(groupId)?.get(memberId);
    if (known?.peer === peer) return;
    if (known !== undefined) this.#drop(known);
    let members = this.#ofPeer.get(peer);
    if (members === undefined) {
      members = new Set();
      this.#ofPeer.set(peer, members);
      peer.whenClosed(() => this.#peerClosed(peer));
      // It was closed before: this call has told already, and knew of nobody.
      if (!this.#ofPeer.has(peer)) {
        this.#await(this.#add(peer, groupId, memberId));
        return;
      }
    }
    if (members.size < MEMBERS_PER_CONNECTION_MAX) members.add(this.#add(peer, groupId, memberId));
  }

  /** The member left, or the coordinator does not know it. */
  left(groupId: string, memberId: string): void {
    const known = this.#members.get(groupId)?.get(memberId);
    if (known !== undefined) this.#drop(known);
  }

  close(): void {
    this.#closed = true;
    for (const members of this.#members.values()) for (const { timer } of members.values()) timer?.cancel();
    this.#members.clear();
    this.#ofPeer.clear();
  }

  #add(peer: ClosablePeer, groupId: string, memberId: string): Seen {
    const seen: Seen = { groupId, memberId, peer, timer: undefined };
    let members = this.#members.get(groupId);
    if (members === undefined) {
      members = new Map();
      this.#members.set(groupId, members);
    }
    members.set(memberId, seen);
    return seen;
  }

  #drop(seen: Seen): void {
    const { groupId, memberId, peer, timer } = seen;
    timer?.cancel();
    this.#ofPeer.get(peer)?.delete(seen);
    const members = this.#members.get(groupId);
    members?.delete(memberId);
    if (members?.size === 0) this.#members.delete(groupId);
  }

  #peerClosed(peer: ClosablePeer): void {
    const members = this.#ofPeer.get(peer);
    this.#ofPeer.delete(peer);
    for (const seen of members ?? []) this.#await(seen);
  }

  #await(seen: Seen): void {
    const { timers, graceMs, onGone } = this.#options;
    seen.timer = timers.after(graceMs, () => {
      this.#drop(seen);
      onGone(seen.groupId, seen.memberId);
    });
  }
}
