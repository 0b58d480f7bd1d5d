import { describe, expect, test } from 'vitest';
import { World } from '../../simulation/world.ts';
import { backgroundContract } from '../io/background-contract.ts';
import { copying, summing } from '../io/background-jobs.ts';

function boot(seed = 1) {
  const world = new World({ seed });
  const machine = world.machine('n1');
  const { background, storage } = machine.boot().ports;
  storage.makeDir('/dir');
  return { world, machine, background, storage };
}

describe('in the simulated world', () => {
  backgroundContract(() => {
    const { world, background, storage } = boot();
    return { background, storage, dir: '/dir', settle: (promise) => world.settle(promise) };
  });

  test('the loop goes on between the steps of a job', async () => {
    const { world, background } = boot();
    const order: string[] = [];
    const run = background.run(summing, [1, 2, 3], (sum) => order.push(`${sum}`));
    for (let ms = 0; ms < 10; ms += 1) world.after(ms, () => order.push('loop'));
    await world.settle(run.done);
    expect(order.slice(order.indexOf('1'), order.indexOf('3'))).toContain('loop');
  });

  test('a job ends with its process, wherever it is', async () => {
    const { world, machine, background, storage } = boot();
    const file = storage.open('/dir/from', 'create');
    file.write([Buffer.alloc(1_000)], 0);
    let isOver = false;
    const over = () => {
      isOver = true;
    };
    background.run(copying, { from: '/dir/from', to: '/dir/to', waitMs: 1 }).done.then(over, over);
    await world.run(20);
    machine.crash('kill');
    await world.run(60_000);
    expect(isOver).toBe(false);
    expect(machine.disk.files().get('/dir/to')).toBeLessThan(1_000);
  });
});
