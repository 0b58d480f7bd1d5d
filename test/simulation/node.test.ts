import { expect, test } from 'vitest';
import { simulateNode } from './node-simulation.ts';

test('try', async () => {
  const t = performance.now();
  for (let seed = Number(process.env['SEED'] ?? 1); seed <= Number(process.env['TO'] ?? 1); seed++) {
    try {
      const r = await simulateNode({
        seed,
        ...(process.env['PRINT'] ? { print: (l) => console.log(l) } : {}),
      });
      console.log(JSON.stringify(r));
    } catch (e) {
      console.log(String((e as Error).message), (e as Error).cause);
    }
  }
  console.log(performance.now() - t);
  expect(1).toBe(1);
}, 600_000);
