import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Broker, startBroker } from '../../src/index.ts';
import { converseInTransactions, TRANSACTION_SETTINGS } from './transaction-conversation.ts';

/** The answers of Apache Kafka, which test/interop/transaction-answers.test.ts wrote down. */
const golden = JSON.parse(
  readFileSync(new URL('../fixtures/golden/transaction-answers.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, unknown>>;

describe('transactions', () => {
  let broker: Broker;
  let seen: Readonly<Record<string, unknown>>;

  beforeAll(async () => {
    const properties = { ...TRANSACTION_SETTINGS, 'node.id': '1' };
    broker = await startBroker({ memory: true, profile: 'kafka', properties });
    seen = await converseInTransactions(Number(broker.bootstrapServers.split(':').at(-1)));
  });

  afterAll(() => broker.stop());

  test('are asked what Apache Kafka was asked', () => {
    expect(Object.keys(seen)).toEqual(Object.keys(golden));
  });

  test.each(Object.keys(golden))('%s', (step) => {
    expect(seen[step]).toEqual(golden[step]);
  });
});
