import { Crowd } from '../../base/crowd.ts';
import type { Clock, Turn } from '../../base/ports.ts';
import type {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '../../protocol/messages/consumer-group-heartbeat.ts';
import type { GroupRequestContext } from './group-result.ts';

/** A member that joins a consumer group, and where its answer goes. */
export interface JoiningMember {
  readonly context: GroupRequestContext;
  readonly request: ConsumerGroupHeartbeatRequest;
  readonly answer: (response: ConsumerGroupHeartbeatResponse) => void;
}

export interface JoiningCrowdOptions {
  readonly clock: Clock;
  readonly turn: Turn;
  /** Makes it known what the member wants; its target and its answer come with `join`. */
  readonly announce: (member: JoiningMember) => void;
  readonly join: (member: JoiningMember) => void;
}

/**
 * The first of a crowd waits no longer than this for the others. Where the code is cold or the machine busy, a hundred
 * take this long to be read, and a second target costs each of them more than the first one waits.
 */
const WAIT_MS_MAX = 20;

/**
 * Members that join consumer groups right behind one another, in ticks of the loop that all bring some: of each group all
 * are announced before the first of them is given partitions, so one target is made for them and not one for each, which
 * would take from every member what it was given for those behind it. One per request in flight, so requests bound it.
 */
export class JoiningCrowd {
  readonly #options: JoiningCrowdOptions;
  readonly #crowd: Crowd<JoiningMember>;

  constructor(options: JoiningCrowdOptions) {
    this.#options = options;
    const { clock, turn } = options;
    this.#crowd = new Crowd({
      ...{ clock, turn, waitMsMax: WAIT_MS_MAX },
      admit: (members) => this.#join(members),
    });
  }

  add(member: JoiningMember): void {
    this.#crowd.add(member);
  }

  /** Whether this member's join has not been handled yet. */
  includes(groupId: string, memberId: string): boolean {
    return this.#crowd.waiting.some(
      ({ request }) => request.memberId === memberId && request.groupId === groupId,
    );
  }

  joinAll(): void {
    this.#crowd.admitAll();
  }

  #join(members: readonly JoiningMember[]): void {
    const counts = new Map<string, number>();
    for (const { request } of members) counts.set(request.groupId, (counts.get(request.groupId) ?? 0) + 1);
    for (const member of members) {
      if (counts.get(member.request.groupId)! > 1 && isPlain(member.request)) this.#options.announce(member);
    }
    for (const member of members) this.#options.join(member);
  }
}

/** Has an id of its own, takes nobody's place and wants what it names: to hear of it twice is to hear of it once. */
function isPlain({ memberId, instanceId, subscribedTopicRegex }: ConsumerGroupHeartbeatRequest): boolean {
  return memberId !== '' && instanceId === null && subscribedTopicRegex === null;
}
