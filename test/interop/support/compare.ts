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

/** Runs the same steps against both brokers, one after the other on one port, and compares what was seen. */
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
  const say = (reason: string | undefined): string => (reason === undefined ? '' : ` (SKIPPED: ${reason})`);
  describe(suite.title, () => {
    for (const name of ['apache', 'odradek'] as const) {
      const reason = reasonOf(name);
      test.skipIf(reason !== undefined)(`with ${name}${say(reason)}`, async () => {
        const options = {
          port,
          ...(suite.apacheVersion ? { version: suite.apacheVersion } : {}),
          ...(suite.properties ? { properties: suite.properties } : {}),
        };
        const target = await startTarget(name, options);
        try {
          const got = await suite.observe(target);
          seen.set(name, got);
          save(suite.title, name, got);
          suite.expectations(got, name);
        } finally {
          await target.stop();
        }
      });
    }
    const notBoth = reasonOf('apache') ?? reasonOf('odradek');
    test.skipIf(notBoth !== undefined)(`the same from both${say(notBoth)}`, () => {
      const apache = seen.get('apache');
      const odradek = seen.get('odradek');
      if (apache === undefined || odradek === undefined)
        throw new Error('one of the two runs did not get to its end');
      const compared = withDifferences(suite.title, { apache, odradek });
      // By step, so that a rare difference names itself in any log.
      const steps = new Set([...Object.keys(compared.apache), ...Object.keys(compared.odradek)]);
      const differing = [...steps]
        .map((step) => ({ step, apache: compared.apache[step], odradek: compared.odradek[step] }))
        .filter(({ apache, odradek }) => !isDeepStrictEqual(apache, odradek));
      const said = differing.map((one) => JSON.stringify(one)).join('\n');
      expect(differing, `Error: differing steps\n${said}`).toEqual([]);
    });
  });
}
