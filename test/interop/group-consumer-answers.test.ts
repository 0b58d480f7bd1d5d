import { expect } from 'vitest';
import { CONVERSATION_SETTINGS, converse } from '../integration/consumer-group-conversation.ts';
import { caughtUp } from './support/caught-up.ts';
import { compareBrokers } from './support/compare.ts';
import { updatesGolden, writeGolden } from './support/golden.ts';

/** UPDATE_GOLDEN=1 writes down what Apache Kafka answers, for `npm test`. */
await compareBrokers({
  title: 'consumer group answers',
  missing: undefined,
  properties: CONVERSATION_SETTINGS,
  async observe(target) {
    const seen = await converse(target.bootstrap, () => caughtUp(target.port));
    if (target.name === 'apache' && updatesGolden()) writeGolden('consumer-group-answers.json', seen);
    return { ...seen };
  },
  expectations(seen) {
    expect(Object.keys(seen).length).toBeGreaterThan(150);
  },
});
