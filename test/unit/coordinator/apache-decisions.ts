import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { Uuid } from '../../../src/base/uuid.ts';
import type { GroupSpec, TopicPartitions } from '../../../src/coordinator/group/assignors/index.ts';

/**
 * What the classes of Apache Kafka's group coordinator decided, made by test/interop/coordinator.test.ts: a line of JSON
 * for each decision.
 */

export type Decisions = 'assignments' | 'hashes' | 'patterns';

export const decisionsFile = (decisions: Decisions): URL =>
  new URL(`../../fixtures/groups/${decisions}.jsonl.gz`, import.meta.url);

export function readDecisions<T>(decisions: Decisions): readonly T[] {
  return parseDecisions(gunzipSync(readFileSync(decisionsFile(decisions))).toString('utf8'));
}

export function parseDecisions<T>(lines: string): readonly T[] {
  return lines
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as T);
}

type Partitions = readonly (readonly [topicId: Uuid, partitions: readonly number[]])[];

export interface AssignmentDecision {
  readonly assignor: string;
  readonly isHomogeneous: boolean;
  /** How many partitions each topic has. */
  readonly topics: Readonly<Record<Uuid, number>>;
  readonly members: readonly {
    readonly memberId: string;
    readonly instanceId: string | null;
    readonly topicIds: readonly Uuid[];
    readonly assignment: Partitions;
  }[];
  readonly result: Readonly<Record<string, Partitions>>;
}

export function specOf({ members, isHomogeneous }: AssignmentDecision): GroupSpec {
  return {
    isHomogeneous,
    members: members.map(({ memberId, instanceId, topicIds, assignment }) => ({
      memberId,
      instanceId,
      topicIds: new Set(topicIds),
      assignment: new Map(assignment),
    })),
  };
}

/** An assignment as plain data, in order: Java's sets come in any. */
export function plain(assignment: TopicPartitions): Partitions {
  const sorted = Array.from(
    assignment,
    ([topicId, partitions]) => [topicId, [...partitions].sort((a, b) => a - b)] as const,
  );
  return sorted.sort(([a], [b]) => (a < b ? -1 : 1));
}

export interface InputHash {
  /** Byte `i` of the input is `i * 31 + length`, of which the low 8 bits. */
  readonly length: number;
  readonly hash: string;
}

export interface GroupHash {
  readonly topics: readonly {
    readonly name: string;
    readonly topicId: Uuid;
    readonly hash: string;
    readonly racks: readonly (readonly string[])[];
  }[];
  readonly hash: string;
}

export interface PatternDecision {
  readonly pattern: string;
  readonly isInvalid?: true;
  readonly matches?: readonly string[];
}
