import { describe, expect, test } from 'vitest';
import type { Uuid } from '../../../src/base/uuid.ts';
import {
  ASSIGNOR_NAMES,
  type AssignorMember,
  assignorNamed,
  type GroupAssignment,
  PartitionAssignorError,
} from '../../../src/coordinator/group/assignors/index.ts';
import { type AssignmentDecision, readDecisions } from './apache-decisions.ts';
import { expectAssignment } from './expect-decision.ts';

const topic = (number: number): Uuid => Buffer.alloc(16, number).toString('base64url') as Uuid;

interface Given {
  readonly instanceId?: string;
  readonly topics?: readonly Uuid[];
  readonly assignment?: readonly (readonly [Uuid, readonly number[]])[];
}

function member(
  memberId: string,
  { instanceId, topics = [topic(1)], assignment = [] }: Given = {},
): AssignorMember {
  return {
    memberId,
    instanceId: instanceId ?? null,
    topicIds: new Set(topics),
    assignment: new Map(assignment),
  };
}

function assign(
  name: string,
  members: readonly AssignorMember[],
  counts: ReadonlyMap<Uuid, number>,
): GroupAssignment {
  const subscriptions = new Set(members.map(({ topicIds }) => [...topicIds].sort().join()));
  const spec = { members, isHomogeneous: subscriptions.size === 1 };
  return assignorNamed(name)!.assign(spec, (topicId) => counts.get(topicId));
}

const sizeOf = (assignment: ReadonlyMap<Uuid, readonly number[]>): number =>
  [...assignment.values()].reduce((sum, partitions) => sum + partitions.length, 0);

/** The members as they are once they have what was assigned. */
function having(members: readonly AssignorMember[], made: GroupAssignment): AssignorMember[] {
  return members.map((one) => ({ ...one, assignment: made.get(one.memberId)! }));
}

describe('assignors', () => {
  test('decide as those of Apache Kafka did', () => {
    const decisions = readDecisions<AssignmentDecision>('assignments');
    expect(decisions.length).toBeGreaterThan(300);
    for (const decision of decisions) expectAssignment(decision);
  });

  test.each(ASSIGNOR_NAMES)(
    '%s leaves what it was given alone, and gives it back where nothing changes',
    (name) => {
      const counts = new Map([[topic(1), 5]]);
      const members = [member('a'), member('b')];
      const stable = having(members, assign(name, members, counts));
      expect(members.map(({ assignment }) => assignment.size)).toEqual([0, 0]);
      const again = assign(name, stable, counts);
      for (const { memberId, assignment } of stable) expect(again.get(memberId)).toBe(assignment);
    },
  );

  test.each(ASSIGNOR_NAMES)('%s names the topic that is not there', (name) => {
    const members = [member('a'), member('b', { topics: [topic(9)] })];
    expect(() => assign(name, members, new Map([[topic(1), 1]]))).toThrow(PartitionAssignorError);
    expect(() => assign(name, [member('a')], new Map())).toThrow(topic(1));
  });

  test.each(ASSIGNOR_NAMES)('%s gives nothing where nobody subscribes to anything', (name) => {
    const members = [member('a', { topics: [], assignment: [[topic(1), [0]]] }), member('b', { topics: [] })];
    expect([...assign(name, members, new Map()).values()].map(({ size }) => size)).toEqual([0, 0]);
    expect(assignorNamed(name)!.assign({ members: [], isHomogeneous: true }, () => 1).size).toBe(0);
  });

  test('a partition that two members claim has one owner, and one beyond the end none', () => {
    const claim: Given = { assignment: [[topic(1), [0, 1, 7]]] };
    const counts = new Map([[topic(1), 4]]);
    for (const topics of [[topic(1)], [topic(1), topic(2)]]) {
      const members = [member('a', claim), member('b', { ...claim, topics })];
      const made = assign('uniform', members, counts.set(topic(2), 0));
      const all = [...made.values()].flatMap((assignment) => assignment.get(topic(1)) ?? []);
      expect(all.sort()).toEqual([0, 1, 2, 3]);
    }
  });

  test('static members keep their ranges under other member ids', () => {
    const counts = new Map([
      [topic(1), 3],
      [topic(2), 3],
    ]);
    const topics = [topic(1), topic(2)];
    const before = assign(
      'range',
      [
        member('x', { instanceId: 'one', topics }),
        member('y', { instanceId: 'two', topics }),
        member('a', { topics }),
      ],
      counts,
    );
    const later = assign(
      'range',
      [
        member('y2', { instanceId: 'one', topics }),
        member('x2', { instanceId: 'two', topics }),
        member('a', { topics }),
      ],
      counts,
    );
    expect(later.get('y2')).toEqual(before.get('x'));
    expect(later.get('x2')).toEqual(before.get('y'));
    // The same partitions of both topics: what joins need.
    expect(later.get('a')!.get(topic(1))).toEqual(later.get('a')!.get(topic(2)));
  });

  test('1000 members share 10,000 partitions evenly, and one more takes no more than it must', () => {
    const counts = new Map<Uuid, number>(Array.from({ length: 100 }, (_, i) => [topic(i), 100]));
    const topics = [...counts.keys()];
    const members = Array.from({ length: 1000 }, (_, i) => member(`m${i}`, { topics }));
    const stable = having(members, assign('uniform', members, counts));
    expect(new Set(stable.map(({ assignment }) => sizeOf(assignment)))).toEqual(new Set([10]));
    const made = assign('uniform', [...stable, member('new', { topics })], counts);
    const moved = stable.filter(({ memberId, assignment }) => made.get(memberId) !== assignment);
    expect(sizeOf(made.get('new')!)).toBe(9);
    expect(moved).toHaveLength(9);
  });

  test('members with topics of their own share the others evenly', () => {
    const shared = Array.from({ length: 100 }, (_, i) => topic(i));
    const counts = new Map<Uuid, number>(shared.map((topicId) => [topicId, 100]));
    const own = topic(200);
    counts.set(own, 10);
    const members = Array.from({ length: 1000 }, (_, i) =>
      member(`m${i}`, { topics: i === 0 ? [...shared, own] : shared }),
    );
    const made = assign('uniform', members, counts);
    const sizes = [...made.values()].map(sizeOf);
    expect(made.get('m0')!.get(own)).toHaveLength(10);
    expect([Math.min(...sizes), Math.max(...sizes)]).toEqual([10, 11]);
    const again = assign('uniform', having(members, made), counts);
    for (const { memberId } of members) expect(again.get(memberId)).toBe(made.get(memberId));
  });
});
