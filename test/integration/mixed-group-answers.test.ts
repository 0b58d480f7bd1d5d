import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { startBroker } from '../../src/index.ts';
import { Errors } from '../../src/protocol/errors.ts';
import { converseMixed, mixedSettings, POLICIES } from './mixed-group-conversation.ts';

/** The answers of Apache Kafka, which test/interop/group-mixed-answers.test.ts wrote down. */
const golden = JSON.parse(
  readFileSync(new URL('../fixtures/golden/mixed-group-answers.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** Where we answer otherwise, see test/interop/differences.ts: what the last one that left had is not left without an owner. */
const ours: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  upgrade: {
    'one of each: old hears that it left (Heartbeat v4)': {
      throttleTimeMs: 0,
      errorCode: Errors.REBALANCE_IN_PROGRESS,
    },
  },
};

describe('members of both protocols in one group are answered as by Apache Kafka', () => {
  test.each(POLICIES)('with the migration policy %s', async (policy) => {
    const broker = await startBroker({ memory: true, profile: 'kafka', properties: mixedSettings(policy) });
    try {
      expect(await converseMixed(broker.bootstrapServers)).toEqual({ ...golden[policy], ...ours[policy] });
    } finally {
      await broker.stop();
    }
  });
});
