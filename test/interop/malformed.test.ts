import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { apacheMissing, KAFKA_VERSION, type RunningApache, startApache } from './support/apache.ts';
import { caughtUp } from './support/caught-up.ts';
import { readGolden, updatesGolden, writeGolden } from './support/golden.ts';
import { playScenarios } from './support/idempotence.ts';
import { batchCases } from './support/malformed.ts';
import { playExchanges } from './support/pipelined.ts';
import { freePort } from './support/ports.ts';
import { runCases } from './support/produce-golden.ts';

/**
 * Plays against Apache Kafka what `test/integration/malformed-batches.test.ts` plays against this broker, and compares
 * with the same golden files; UPDATE_GOLDEN=1 writes them anew.
 */

const missing = await apacheMissing();

function check(file: string, got: object): void {
  const all = { kafka: KAFKA_VERSION, ...got };
  if (updatesGolden()) writeGolden(file, all);
  expect(all).toEqual(readGolden(file));
}

describe.skipIf(missing !== undefined)(
  `Apache Kafka's answers${missing ? ` (skipped: ${missing})` : ''}`,
  () => {
    let apache: RunningApache;
    beforeAll(async () => {
      apache = await startApache({
        port: await freePort(),
        properties: { 'auto.create.topics.enable': 'false' },
      });
    });
    afterAll(() => apache?.stop());

    test('to malformed batches are in the golden file', async () => {
      check('malformed-batches.json', { cases: await runCases(apache.port, batchCases()) });
    });

    test('to repeated, missing and outdated sequences are in the golden file', async () => {
      check('idempotence.json', { scenarios: await playScenarios(apache.port) });
    });

    // Apache Kafka publishes a new topic to its own brokers a moment after CreateTopics was answered; the golden file has
    // the exchange in which the next request came after that.
    test('to requests behind one another are in the golden file', async () => {
      const exchanges = await playExchanges(apache.port, () => caughtUp(apache.port));
      check('pipelined.json', { exchanges });
    });
  },
);
