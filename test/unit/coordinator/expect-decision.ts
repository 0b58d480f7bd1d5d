import { expect } from 'vitest';
import { xxh3 } from '../../../src/base/xxh3.ts';
import { assignorNamed } from '../../../src/coordinator/group/assignors/index.ts';
import { computeGroupHash, computeTopicHash } from '../../../src/coordinator/group/metadata-hash.ts';
import { TopicPattern } from '../../../src/coordinator/group/regex/topic-pattern.ts';
import { ProtocolError } from '../../../src/protocol/errors.ts';
import {
  type AssignmentDecision,
  type GroupHash,
  type InputHash,
  type PatternDecision,
  plain,
  specOf,
} from './apache-decisions.ts';
import { NAMES } from './patterns.ts';

/** Each of these fails where this broker decides otherwise than Apache Kafka did. */

export function expectAssignment(decision: AssignmentDecision): void {
  const assignor = assignorNamed(decision.assignor);
  const made = assignor!.assign(specOf(decision), (topicId) => decision.topics[topicId]);
  const ours = [...made].map(([memberId, assignment]) => [memberId, plain(assignment)]);
  const theirs = Object.entries(decision.result).map(([memberId, assignment]) => [
    memberId,
    plain(new Map(assignment)),
  ]);
  expect(Object.fromEntries(ours), JSON.stringify(decision)).toEqual(Object.fromEntries(theirs));
}

export function expectHash(decision: InputHash | GroupHash): void {
  if ('length' in decision) {
    const { length, hash } = decision;
    const input = Uint8Array.from({ length }, (_, i) => i * 31 + length);
    expect(String(BigInt.asIntN(64, xxh3(input))), `${length} bytes`).toBe(hash);
    return;
  }
  const hashes = new Map<string, bigint>();
  for (const { name, topicId, racks, hash } of decision.topics) {
    const partitionCount = racks.length;
    const ours = computeTopicHash({
      name,
      topicId,
      partitionCount,
      racksOf: (partition) => racks[partition]!,
    });
    expect(String(ours), name).toBe(hash);
    hashes.set(name, ours);
  }
  expect(String(computeGroupHash(hashes))).toBe(decision.hash);
}

export function expectPattern({ pattern, isInvalid, matches }: PatternDecision): void {
  expect(matchesOf(pattern), pattern).toEqual(isInvalid === true ? 'invalid' : matches);
}

function matchesOf(text: string): 'invalid' | readonly string[] {
  try {
    const pattern = new TopicPattern(text);
    return NAMES.filter((name) => pattern.matches(name));
  } catch (error) {
    if (error instanceof ProtocolError) return 'invalid';
    throw error;
  }
}
