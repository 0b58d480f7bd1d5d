import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { apacheMissing, OLD_KAFKA_VERSION, type RunningApache, startApache } from './support/apache.ts';
import { readGolden, updatesGolden, writeGolden } from './support/golden.ts';
import { oldCases } from './support/old-formats.ts';
import { oldFetches, runOldCases, runOldFetches } from './support/old-formats-golden.ts';
import { freePort } from './support/ports.ts';
import { runLookups } from './support/time-lookups.ts';

/**
 * Plays against Apache Kafka 3.9, the last one that knew message sets, what `test/integration/old-formats.test.ts` plays
 * against this broker, and compares with the same golden file; UPDATE_GOLDEN=1 writes it anew.
 */

const missing = await apacheMissing(OLD_KAFKA_VERSION);

describe.skipIf(missing !== undefined)(
  `Apache Kafka ${OLD_KAFKA_VERSION}${missing ? ` (skipped: ${missing})` : ''}`,
  () => {
    let apache: RunningApache;
    beforeAll(async () => {
      apache = await startApache({
        port: await freePort(),
        version: OLD_KAFKA_VERSION,
        properties: { 'auto.create.topics.enable': 'false' },
      });
    });
    afterAll(() => apache?.stop());

    test('answers to clients before 0.11 are in the golden file', async () => {
      const { port } = apache;
      const cases = await runOldCases(port, oldCases());
      const fetches = await runOldFetches(port, oldFetches());
      const all = { kafka: OLD_KAFKA_VERSION, cases, fetches, lookups: await runLookups(port) };
      if (updatesGolden()) writeGolden('old-formats.json', all);
      expect(all).toEqual(readGolden('old-formats.json'));
    });
  },
);
