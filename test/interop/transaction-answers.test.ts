import { expect } from 'vitest';
import { Errors } from '../../src/protocol/errors.ts';
import {
  converseInTransactions,
  coordinators,
  init,
  settle,
  TRANSACTION_SETTINGS,
  TransactionConversation,
} from '../integration/transaction-conversation.ts';
import { WireClient } from '../integration/wire-client.ts';
import { compareBrokers, type Observations } from './support/compare.ts';
import { updatesGolden, writeGolden } from './support/golden.ts';
import type { Target } from './support/target.ts';
import { makeTopics } from './support/wire.ts';

/** UPDATE_GOLDEN=1 writes down what Apache Kafka answers, for `npm test`. */
await compareBrokers({
  title: 'transaction answers',
  missing: undefined,
  properties: TRANSACTION_SETTINGS,
  async observe(target) {
    const seen = await converseInTransactions(target.port);
    if (target.name === 'apache' && updatesGolden()) writeGolden('transaction-answers.json', seen);
    return seen;
  },
  expectations(seen) {
    expect(Object.keys(seen).length).toBeGreaterThan(300);
    expect(seen['list by the pattern list.* (ListTransactions v2)']).toMatchObject({
      transactionStates: [{ transactionalId: 'listed', transactionState: 'Ongoing' }],
    });
  },
});

/** What version 6 adds, which is not released (KIP-939). */
async function observeTwoPhases(target: Target): Promise<Observations> {
  await makeTopics(target.port, [{ name: 't', partitions: 3 }]);
  const client = await WireClient.open(target.bootstrap);
  const talk = new TransactionConversation(client);
  try {
    await coordinators(talk);
    const given = { transactionalId: 'x', transactionTimeoutMs: 1000 };
    await init(talk, 'plain', 6, given);
    await init(talk, 'keeping what is prepared', 6, { ...given, keepPreparedTxn: true });
    await init(talk, 'two phases', 6, { ...given, enable2Pc: true });
    await init(talk, 'both', 6, { ...given, enable2Pc: true, keepPreparedTxn: true });
    await init(talk, 'two phases without a timeout', 6, {
      ...given,
      enable2Pc: true,
      transactionTimeoutMs: 0,
    });
    await init(talk, 'two phases without a transactional id', 6, { transactionalId: null, enable2Pc: true });
    await settle(talk, 'after all', 'x');
  } finally {
    client.close();
  }
  return talk.seen;
}

for (const isEnabled of [false, true]) {
  await compareBrokers({
    title: `two-phase commit${isEnabled ? '' : ' that is not enabled'}`,
    missing: undefined,
    properties: {
      'transaction.state.log.num.partitions': '4',
      'unstable.api.versions.enable': 'true',
      'transaction.two.phase.commit.enable': String(isEnabled),
    },
    observe: observeTwoPhases,
    expectations(seen) {
      const { errorCode } = seen['two phases (InitProducerId v6)'] as { errorCode: number };
      expect(errorCode).toBe(isEnabled ? Errors.NONE : Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    },
  });
}
