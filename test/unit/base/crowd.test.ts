import { expect, test } from 'vitest';
import { Crowd } from '../../../src/base/crowd.ts';

const WAIT_MS_MAX = 5;
const WAIT_TICKS_MIN = 4;

/** A crowd whose ticks and time a test makes. */
function doorway() {
  let planned: (() => void)[] = [];
  let nowMs = 0;
  const turn = { later: (run: () => void) => planned.push(run), first: () => {}, atEnd: () => {} };
  const clock = { wallMs: () => nowMs, monotonicMs: () => nowMs };
  const inside: string[] = [];
  const crowd = new Crowd<string>({
    ...{ clock, turn, waitMsMax: WAIT_MS_MAX, waitTicksMin: WAIT_TICKS_MIN },
    admit: (all) => inside.push(...all),
  });
  return {
    crowd,
    inside,
    come: (name: string) => crowd.add(name),
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
  expect(door.crowd.waiting).toEqual(['a']);
  door.tick();
  expect(door.inside).toEqual(['a']);
  expect(door.crowd.waiting).toEqual([]);
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

test('those that are admitted early are not admitted again, and what comes then waits for its own tick', () => {
  const door = doorway();
  door.come('a');
  door.crowd.admitAll();
  expect(door.inside).toEqual(['a']);
  door.come('b');
  door.tick();
  expect(door.inside).toEqual(['a']);
  door.tick();
  expect(door.inside).toEqual(['a', 'b']);
  door.crowd.admitAll();
  expect(door.inside).toEqual(['a', 'b']);
  expect(door.isIdle).toBe(true);
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
