import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from 'vitest';
import { withDifferences } from '../differences.ts';
import { apacheMissing } from './apache.ts';
import { freePort } from './ports.ts';
import { startTarget, type Target, type TargetName, wantedTargets } from './target.ts';

/** What a client printed or returned, by step; JSON, already free of what differs from run to run. */
export type Observations = Record<string, unknown>;

export interface Suite {
  readonly title: string;
  /** Why the client can't be used here; undefined when it can. */
  readonly missing: string | undefined;
  /** The Apache Kafka to compare with, where it is not the newest. */
  readonly apacheVersion?: string;
  readonly properties?: Readonly<Record<string, string>>;
  /** Runs every step against one broker. */
  observe(target: Target): Promise<Observations>;
  /** What must hold of either broker, whatever the other one says. */
  expectations(seen: Observations, target: TargetName): void;
}

/** How often Apache Kafka may be asked in a suite. */
const APACHE_RUNS = 2;

/** With INTEROP_SAVE=<folder> what was seen is kept there, to be read or compared by hand. */
function save(title: string, name: TargetName, seen: Observations): void {
  const folder = process.env['INTEROP_SAVE'];
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, `${title.replaceAll(' ', '-')}.${name}.json`),
    JSON.stringify(seen, undefined, 1),
  );
}

interface DifferingStep {
  readonly step: string;
  readonly apache: unknown;
  readonly odradek: unknown;
}

function differences(title: string, both: Record<TargetName, Observations>): readonly DifferingStep[] {
  const { apache, odradek } = withDifferences(title, both);
  const steps = new Set([...Object.keys(apache), ...Object.keys(odradek)]);
  return [...steps]
    .map((step) => ({ step, apache: apache[step], odradek: odradek[step] }))
    .filter((one) => !isDeepStrictEqual(one.apache, one.odradek));
}

/** By step, so that a rare difference names itself in any log. */
const described = (differing: readonly DifferingStep[]): string =>
  differing.map((one) => JSON.stringify(one)).join('\n');

/**
 * Runs the same steps against both brokers, one after the other on one port, and compares what was seen.
 *
 * Apache Kafka is the measure and not what is tested: it has races of its own, such as a leader that does not know yet that it leads. Where
 * its run does not get to its end, or gives something else than ours, one more run of it says whether that is its answer. Ours has one run.
 */
export async function compareBrokers(suite: Suite): Promise<void> {
  const noApache = await apacheMissing(suite.apacheVersion);
  const seen = new Map<TargetName, Observations>();
  const wanted = wantedTargets();
  const port = await freePort();
  const reasonOf = (name: TargetName): string | undefined => {
    if (suite.missing !== undefined) return suite.missing;
    if (!wanted.includes(name)) return 'not asked for (INTEROP_TARGETS)';
    return name === 'apache' ? noApache : undefined;
  };
  const observed = async (name: TargetName): Promise<Observations> => {
    const target = await startTarget(name, {
      port,
      ...(suite.apacheVersion ? { version: suite.apacheVersion } : {}),
      ...(suite.properties ? { properties: suite.properties } : {}),
    });
    try {
      const got = await suite.observe(target);
      save(suite.title, name, got);
      suite.expectations(got, name);
      return got;
    } finally {
      await target.stop();
    }
  };
  let apacheRuns = 0;
  const observedOfApache = async (): Promise<Observations> => {
    apacheRuns += 1;
    try {
      return await observed('apache');
    } catch (error) {
      if (apacheRuns >= APACHE_RUNS) throw error;
      console.warn(`${suite.title}: a run of Apache Kafka failed, once more: ${String(error)}`);
      return observedOfApache();
    }
  };
  const say = (reason: string | undefined): string => (reason === undefined ? '' : ` (SKIPPED: ${reason})`);
  describe(suite.title, () => {
    for (const name of ['apache', 'odradek'] as const) {
      const reason = reasonOf(name);
      test.skipIf(reason !== undefined)(`with ${name}${say(reason)}`, async () => {
        seen.set(name, await (name === 'apache' ? observedOfApache() : observed(name)));
      });
    }
    const notBoth = reasonOf('apache') ?? reasonOf('odradek');
    test.skipIf(notBoth !== undefined)(`the same from both${say(notBoth)}`, async () => {
      const apache = seen.get('apache');
      const odradek = seen.get('odradek');
      if (apache === undefined || odradek === undefined)
        throw new Error('one of the two runs did not get to its end');
      let differing = differences(suite.title, { apache, odradek });
      if (differing.length > 0 && apacheRuns < APACHE_RUNS) {
        console.warn(`${suite.title}: Apache Kafka is asked once more about\n${described(differing)}`);
        differing = differences(suite.title, { apache: await observedOfApache(), odradek });
      }
      expect(differing, `Error: differing steps\n${described(differing)}`).toEqual([]);
    });
  });
}
