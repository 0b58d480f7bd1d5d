import { expect, test } from 'vitest';
import { TimerWheel, WheelEntry } from '../../../src/base/timer-wheel.ts';

class Named extends WheelEntry {
  readonly name: number;
  constructor(name: number) {
    super();
    this.name = name;
  }
}

function advance(wheel: TimerWheel<Named>, toMs: number): number[] {
  const due: number[] = [];
  wheel.advance(toMs, ({ name }) => due.push(name));
  return due;
}

test('an entry is due at its deadline, never before', () => {
  const wheel = new TimerWheel<Named>(1000);
  for (const delay of [1, 2, 255, 256, 257, 1000, 65_535, 65_536, 70_000, 20_000_000, 2 ** 32, 2 ** 33]) {
    const entry = new Named(delay);
    wheel.add(entry, 1000 + delay);
  }
  for (const delay of [1, 2, 255, 256, 257, 1000, 65_535, 65_536, 70_000, 20_000_000, 2 ** 32, 2 ** 33]) {
    expect(advance(wheel, 1000 + delay - 1)).toEqual([]);
    expect(advance(wheel, 1000 + delay)).toEqual([delay]);
  }
  expect(wheel.size).toBe(0);
  expect(wheel.nextMs()).toBe(Number.POSITIVE_INFINITY);
});

test('fractions round up, the past is due with the next ms, and a far jump keeps the order of deadlines', () => {
  const wheel = new TimerWheel<Named>(0.7);
  wheel.add(new Named(1), 5.1);
  wheel.add(new Named(2), -3);
  wheel.add(new Named(3), 4);
  wheel.add(new Named(4), 1_000_000);
  wheel.add(new Named(5), 300);
  expect(advance(wheel, 5.9)).toEqual([2, 3]);
  expect(advance(wheel, 2_000_000)).toEqual([1, 5, 4]);
});

test('callbacks may add and remove', () => {
  const wheel = new TimerWheel<Named>(0);
  const second = new Named(2);
  const third = new Named(3);
  wheel.add(new Named(1), 10);
  wheel.add(second, 10);
  const due: number[] = [];
  wheel.advance(20, ({ name }) => {
    due.push(name);
    if (name === 1) {
      expect(wheel.remove(second)).toBe(true);
      wheel.add(third, 5);
    }
  });
  expect(due).toEqual([1, 3]);
  expect(wheel.remove(third)).toBe(false);
});

test('Infinity never comes, and not a number is refused', () => {
  const wheel = new TimerWheel<Named>(0);
  wheel.add(new Named(1), Number.POSITIVE_INFINITY);
  expect(advance(wheel, 2 ** 40)).toEqual([]);
  expect(wheel.size).toBe(1);
  expect(() => wheel.add(new Named(2), Number.NaN)).toThrow();
});

test('against a plain list: random adds, removals and steps', () => {
  let state = 12345;
  const random = (bound: number) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return state % bound;
  };
  const wheel = new TimerWheel<Named>(0);
  const model = new Map<Named, number>();
  let now = 0;
  for (let step = 0; step < 20_000; step++) {
    const dice = random(10);
    if (dice < 6) {
      const entry = new Named(step);
      const due = now + 1 + random(random(2) === 0 ? 300 : 200_000);
      wheel.catchUp(now);
      wheel.add(entry, due);
      model.set(entry, due);
    } else if (dice < 8) {
      const [entry] = model.keys();
      if (entry !== undefined) {
        model.delete(entry);
        expect(wheel.remove(entry)).toBe(true);
      }
    } else {
      const earliest = Math.min(...[...model.values()].slice(0, 1));
      expect(wheel.nextMs()).toBeLessThanOrEqual(Math.max(earliest, now + 1));
      now += random(random(4) === 0 ? 100_000 : 50);
      let last = 0;
      wheel.advance(now, (entry) => {
        const due = model.get(entry) ?? Number.NaN;
        expect(due).toBeLessThanOrEqual(now);
        expect(due).toBeGreaterThanOrEqual(last);
        last = due;
        model.delete(entry);
      });
      for (const due of model.values()) if (due <= now) expect.fail(`missed ${due} at ${now}`);
    }
    expect(wheel.size).toBe(model.size);
  }
});
