import { expect, test } from 'vitest';
import { simulateNode } from './node-simulation.ts';

/** How many seeds `npm test` runs in all; `SIMULATION_SEEDS` changes it, `npm run simulate` runs any number. */
const seedsInAll = Number(process.env['SIMULATION_SEEDS'] ?? 200);

/**
 * Seeds beyond those that found something once: records of a killed process were shown before they were synced (480); of two
 * copies of a replica beside one of an earlier topic the shorter was taken (344); after a move a power loss brought the old
 * folder back, which was served while the dir with the new one was away (9044).
 */
const known = [344, 480, 9044];

/** Every `step`-th seed from `first` on, each twice: the files that call this run side by side. */
export function simulateSeeds(first: number, step: number): void {
  const seeds: number[] = [];
  for (let seed = first; seed <= seedsInAll; seed += step) seeds.push(seed);
  if (first === 1) seeds.push(...known.filter((seed) => seed > seedsInAll));
  for (const seed of seeds) {
    test(`seed ${seed}`, async () => {
      const once = await simulateNode({ seed });
      const again = await simulateNode({ seed });
      expect(again).toEqual(once);
    });
  }
}
