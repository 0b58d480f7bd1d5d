import { expect } from 'vitest';
import { converseAboutTxnOffsets, TXN_OFFSET_SETTINGS } from '../integration/txn-offset-conversation.ts';
import { caughtUp } from './support/caught-up.ts';
import { compareBrokers } from './support/compare.ts';
import { updatesGolden, writeGolden } from './support/golden.ts';

/** Those of Apache Kafka 4.3: version 6 came later. */
const VERSIONS = [0, 1, 2, 3, 4, 5];

/** UPDATE_GOLDEN=1 writes down what Apache Kafka answers, for `npm test`. */
await compareBrokers({
  title: 'offsets in transactions',
  missing: undefined,
  properties: TXN_OFFSET_SETTINGS,
  async observe(target) {
    const seen = await converseAboutTxnOffsets(target.port, VERSIONS, () => caughtUp(target.port));
    if (target.name === 'apache' && updatesGolden()) writeGolden('txn-offset-answers.json', seen);
    return seen;
  },
  expectations(seen) {
    expect(Object.keys(seen).length).toBeGreaterThan(400);
  },
});
