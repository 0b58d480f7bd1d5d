import { expect, test } from 'vitest';
import { SystemClock } from '../../../src/io/clock.ts';
import { SystemRandom } from '../../../src/io/random.ts';
import { SystemTimers } from '../../../src/io/timers.ts';
import { LoopTurn } from '../../../src/io/turn.ts';

/** A node timeout that keeps the process (and the test) alive while timers that do not are waited for. */
function alive<T>(promise: Promise<T>): Promise<T> {
  const handle = setTimeout(() => {}, 20_000);
  return promise.finally(() => clearTimeout(handle));
}

test('the turn: later functions in order, promises go on, then the end; what is asked meanwhile comes next', async () => {
  const turn = new LoopTurn();
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    turn.atEnd(() => {
      order.push('end');
      turn.atEnd(() => order.push('end of the end'));
    });
    turn.later(() => {
      order.push('first');
      Promise.resolve().then(() => order.push('promise'));
      turn.later(() => {
        order.push('next tick');
        turn.atEnd(resolve);
      });
    });
    turn.later(() => order.push('second'));
    order.push('now');
  });
  expect(order).toEqual(['now', 'first', 'second', 'promise', 'end', 'end of the end', 'next tick']);
});

test('the turn: what comes first, and what that asks for, runs before later functions of the same tick', async () => {
  const turn = new LoopTurn();
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    turn.atEnd(() => {
      order.push('end');
      turn.first(() => {
        order.push('first of the next tick');
        resolve();
      });
    });
    turn.later(() => order.push('later'));
    turn.first(() => {
      order.push('first');
      turn.first(() => order.push('then'));
    });
    turn.first(() => order.push('second'));
  });
  expect(order).toEqual(['first', 'second', 'then', 'later', 'end', 'first of the next tick']);
});

test('timers fire in the order of their deadlines, not early, and not when cancelled', async () => {
  const clock = new SystemClock();
  const timers = new SystemTimers(clock);
  const order: number[] = [];
  const startedMs = clock.monotonicMs();
  await alive(
    new Promise<void>((resolve) => {
      const cancelled = timers.after(3, () => order.push(-1));
      for (const delay of [9, 2, 5, 0, -4]) {
        timers.after(delay, () => {
          order.push(delay);
          expect(clock.monotonicMs() - startedMs).toBeGreaterThanOrEqual(delay);
          if (delay === 9) resolve();
        });
      }
      cancelled.cancel();
      cancelled.cancel();
    }),
  );
  expect(order.sort()).toEqual([-4, 0, 2, 5, 9]);
});

test('one that is later than all before does not delay an earlier one', async () => {
  const timers = new SystemTimers(new SystemClock());
  timers.after(3_600_000, () => {});
  await alive(new Promise<void>((resolve) => timers.after(1, () => timers.after(1, resolve))));
});

test('random numbers stay below their bound and reach all of it', () => {
  const random = new SystemRandom();
  const seen = new Set<number>();
  for (let i = 0; i < 3000; i++) seen.add(random.below(10));
  expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  for (let i = 0; i < 100; i++) expect(random.below(2 ** 53 - 1)).toBeLessThan(2 ** 53);
  expect(random.below(1)).toBe(0);
  expect(() => random.below(0)).toThrow(RangeError);
  const bytes = new Uint8Array(10_000);
  random.fill(bytes);
  expect(new Set(bytes).size).toBe(256);
});
