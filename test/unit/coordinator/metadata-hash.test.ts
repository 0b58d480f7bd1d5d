import { expect, test } from 'vitest';
import { type GroupHash, type InputHash, readDecisions } from './apache-decisions.ts';
import { expectHash } from './expect-decision.ts';

test('the metadata of groups hashes to what Apache Kafka stores', () => {
  const decisions = readDecisions<InputHash | GroupHash>('hashes');
  expect(decisions.length).toBeGreaterThan(300);
  for (const decision of decisions) expectHash(decision);
});
