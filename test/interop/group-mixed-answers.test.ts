import { expect } from 'vitest';
import { converseMixed, mixedSettings, POLICIES } from '../integration/mixed-group-conversation.ts';
import { caughtUp } from './support/caught-up.ts';
import { compareBrokers } from './support/compare.ts';
import { updatesGolden, writeGolden } from './support/golden.ts';

/** UPDATE_GOLDEN=1 writes down what Apache Kafka answers, for `npm test`. */
const answers: Record<string, unknown> = {};

for (const policy of POLICIES) {
  await compareBrokers({
    title: `mixed groups, ${policy}`,
    missing: undefined,
    properties: mixedSettings(policy),
    async observe(target) {
      const seen = await converseMixed(target.bootstrap, () => caughtUp(target.port));
      if (target.name === 'apache') answers[policy] = seen;
      const isLast = policy === POLICIES.at(-1);
      if (isLast && target.name === 'apache' && updatesGolden())
        writeGolden('mixed-group-answers.json', answers);
      return { ...seen };
    },
    expectations(seen) {
      expect(Object.keys(seen).length).toBeGreaterThan(70);
    },
  });
}
