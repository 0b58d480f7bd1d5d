import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Broker, startBroker } from '../../src/index.ts';
import { CONVERSATION_SETTINGS, converse } from './consumer-group-conversation.ts';

/** The answers of Apache Kafka, which test/interop/group-consumer-answers.test.ts wrote down. */
const golden = JSON.parse(
  readFileSync(new URL('../fixtures/golden/consumer-group-answers.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, unknown>>;

describe('consumer groups', () => {
  let broker: Broker;
  let seen: Readonly<Record<string, unknown>>;

  beforeAll(async () => {
    broker = await startBroker({ memory: true, profile: 'kafka', properties: CONVERSATION_SETTINGS });
    seen = await converse(broker.bootstrapServers);
  });

  afterAll(() => broker.stop());

  test('are asked what Apache Kafka was asked', () => {
    expect(Object.keys(seen)).toEqual(Object.keys(golden));
  });

  test.each(Object.keys(golden))('%s', (step) => {
    expect(seen[step]).toEqual(golden[step]);
  });
});
