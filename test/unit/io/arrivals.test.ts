import { expect, test } from 'vitest';
import { Arrivals, WAIT_MS_MAX, WAIT_TICKS_MIN } from '../../../src/io/arrivals.ts';

/** Arrivals whose ticks and time a test makes. */
function doorway() {
  let planned: (() => void)[] = [];
  let nowMs = 0;
  const turn = { later: (run: () => void) => planned.push(run), first: () => {}, atEnd: () => {} };
  const clock = { wallMs: () => nowMs, monotonicMs: () => nowMs };
  const arrivals = new Arrivals(turn, clock);
  const inside: string[] = [];
  return {
    arrivals,
    inside,
    come: (name: string) => arrivals.add(() => inside.push(name)),
    tick: (ms = 0) => {
      nowMs += ms;
      const runs = planned;
      planned = [];
      for (const run of runs) run();
    },
    get isIdle() {
      return planned.length === 0;
    },
  };
}

test('one that comes alone waits for one tick that brings no other', () => {
  const door = doorway();
  door.come('a');
  door.tick();
  expect(door.inside).toEqual([]);
  expect(door.arrivals.count).toBe(1);
  door.tick();
  expect(door.inside).toEqual(['a']);
  expect(door.arrivals.count).toBe(0);
  expect(door.isIdle).toBe(true);
});

test('those that come in ticks right behind one another are let in together, in their order', () => {
  const door = doorway();
  const names = Array.from({ length: 100 }, (_, i) => `${i}`);
  for (const name of names) {
    door.come(name);
    door.tick();
  }
  expect(door.inside).toEqual([]);
  door.tick();
  expect(door.inside).toEqual(names);
});

test('nobody waits for an endless row of others', () => {
  const door = doorway();
  const waitedFor = (tickMs: number) => {
    const before = door.inside.length;
    let ticks = 0;
    while (door.inside.length === before) {
      door.come('next');
      door.tick(tickMs);
      ticks += 1;
    }
    return ticks;
  };
  // The tick of the arrival itself comes on top.
  expect(waitedFor(1)).toBe(WAIT_MS_MAX);
  expect(waitedFor(1)).toBe(WAIT_MS_MAX);
  expect(waitedFor(100)).toBe(WAIT_TICKS_MIN + 1);
});
