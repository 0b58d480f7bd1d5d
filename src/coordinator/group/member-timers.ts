import type { ShardContext } from '../runtime/shard.ts';
import type { CoordinatorTimer } from '../runtime/timer.ts';
import { type GroupResult, NOTHING } from './group-result.ts';
import type { GroupRecord } from './records.ts';

/** What may be due for a member. Joins and syncs are of members that speak the classic protocol. */
export type MemberDeadline = 'session' | 'rebalance' | 'join' | 'sync';

interface Armed {
  readonly timer: CoordinatorTimer;
  run: () => GroupResult;
}

/** The deadlines of the members of consumer groups, by name: members are replaced with every record of theirs. */
export class MemberTimers {
  readonly #context: ShardContext<GroupRecord>;
  readonly #groups = new Map<string, Map<string, Map<MemberDeadline, Armed>>>();

  constructor(context: ShardContext<GroupRecord>) {
    this.#context = context;
  }

  /** Runs `delayMs` from now, in place of what was set before. */
  arm(
    groupId: string,
    memberId: string,
    deadline: MemberDeadline,
    delayMs: number,
    run: () => GroupResult,
  ): void {
    const ofMember = this.#ofMember(groupId, memberId);
    let armed = ofMember.get(deadline);
    if (armed === undefined) {
      const timer = this.#context.timer(`${deadline} timeout of a consumer`, () =>
        this.#fire(groupId, memberId, deadline),
      );
      armed = { timer, run };
      ofMember.set(deadline, armed);
    }
    armed.run = run;
    armed.timer.arm(delayMs);
  }

  isArmed(groupId: string, memberId: string, deadline: MemberDeadline): boolean {
    return this.#groups.get(groupId)?.get(memberId)?.has(deadline) === true;
  }

  cancel(groupId: string, memberId: string, deadline: MemberDeadline): void {
    const ofMember = this.#groups.get(groupId)?.get(memberId);
    ofMember?.get(deadline)?.timer.cancel();
    ofMember?.delete(deadline);
  }

  cancelMember(groupId: string, memberId: string): void {
    const ofGroup = this.#groups.get(groupId);
    for (const { timer } of ofGroup?.get(memberId)?.values() ?? []) timer.cancel();
    ofGroup?.delete(memberId);
    if (ofGroup?.size === 0) this.#groups.delete(groupId);
  }

  cancelGroup(groupId: string): void {
    for (const memberId of [...(this.#groups.get(groupId)?.keys() ?? [])])
      this.cancelMember(groupId, memberId);
  }

  #ofMember(groupId: string, memberId: string): Map<MemberDeadline, Armed> {
    let ofGroup = this.#groups.get(groupId);
    if (ofGroup === undefined) {
      ofGroup = new Map();
      this.#groups.set(groupId, ofGroup);
    }
    let ofMember = ofGroup.get(memberId);
    if (ofMember === undefined) {
      ofMember = new Map();
      ofGroup.set(memberId, ofMember);
    }
    return ofMember;
  }

  #fire(groupId: string, memberId: string, deadline: MemberDeadline): GroupResult {
    const ofMember = this.#groups.get(groupId)?.get(memberId);
    const armed = ofMember?.get(deadline);
    ofMember?.delete(deadline);
    return armed === undefined ? NOTHING : armed.run();
  }
}
