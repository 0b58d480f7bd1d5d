import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import {
  type AssignmentDecision,
  type Decisions,
  decisionsFile,
  type GroupHash,
  type InputHash,
  type PatternDecision,
  parseDecisions,
} from '../unit/coordinator/apache-decisions.ts';
import { expectAssignment, expectHash, expectPattern } from '../unit/coordinator/expect-decision.ts';
import { NAMES, PATTERNS } from '../unit/coordinator/patterns.ts';
import { apacheClassPath, apacheMissing, JVM_FLAGS } from './support/apache.ts';
import { isInstalled, runOk } from './support/run.ts';

/**
 * Assignors, metadata hashes and regular expressions against Apache Kafka's own classes, with other groups each time, and
 * where the decisions in test/fixtures/groups come from: `UPDATE_DECISIONS=1 npm run test:interop -- coordinator`.
 */

const isUpdate = process.env['UPDATE_DECISIONS'] !== undefined;
const FIXTURE_SEED = 848;
const FIXTURE_GROUPS = 60;
const SEED = Number(process.env['DECISIONS_SEED'] ?? FIXTURE_SEED + 1);
const GROUPS = 300;

async function ask<T>(
  decisions: Decisions,
  args: readonly (string | number)[],
  input = '',
): Promise<readonly T[]> {
  const source = join(import.meta.dirname, 'java', 'CoordinatorInterop.java');
  const all = [...JVM_FLAGS, '-cp', await apacheClassPath(), source, decisions, ...args.map(String)];
  const stdout = await runOk('java', all, { input });
  if (isUpdate) writeFileSync(decisionsFile(decisions), gzipSync(stdout, { level: 9 }));
  return parseDecisions<T>(stdout);
}

const jdk = (await isInstalled('javac')) ? undefined : 'javac (a JDK, 17 or newer) is not installed';
const missing = (await apacheMissing()) ?? jdk;
const skipped = missing === undefined ? '' : ` (SKIPPED: ${missing})`;

describe.skipIf(missing !== undefined)(`as Apache Kafka decides (DECISIONS_SEED=${SEED})${skipped}`, () => {
  test('who is assigned what', async () => {
    const args = isUpdate ? [FIXTURE_SEED, FIXTURE_GROUPS] : [SEED, GROUPS];
    const decisions = await ask<AssignmentDecision>('assignments', args);
    expect(decisions.length).toBeGreaterThan(100);
    for (const decision of decisions) expectAssignment(decision);
  });

  test('what the metadata of a group hashes to', async () => {
    const decisions = await ask<InputHash | GroupHash>('hashes', [isUpdate ? FIXTURE_SEED : SEED]);
    expect(decisions.length).toBeGreaterThan(100);
    for (const decision of decisions) expectHash(decision);
  });

  test('which regular expressions there are, and what they match', async () => {
    const input = [...PATTERNS, '', ...NAMES, ''].join('\n');
    const decisions = await ask<PatternDecision>('patterns', [], input);
    expect(decisions.map(({ pattern }) => pattern)).toEqual(PATTERNS);
    for (const decision of decisions) expectPattern(decision);
  });
});
