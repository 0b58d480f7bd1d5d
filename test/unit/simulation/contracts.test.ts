import { describe } from 'vitest';
import { World } from '../../simulation/world.ts';
import { networkContract } from '../io/network-contract.ts';
import { storageContract } from '../io/storage-contract.ts';

let seed = 0;

describe('the simulated disk', () => {
  storageContract(() => {
    const world = new World({ seed: ++seed });
    const { storage } = world.machine('n1').boot().ports;
    storage.makeDir('/data');
    return { storage, dir: '/data', settle: (promise) => world.settle(promise) };
  });
});

describe.each([1, 2, 3])('the simulated network, round %i', () => {
  networkContract(() => {
    const world = new World({ seed: ++seed });
    return {
      server: world.machine('n1').boot().ports.network,
      client: world.machine('n2').boot().ports.network,
      at: { host: 'n1', port: 0 },
      settle: (promise) => world.settle(promise),
    };
  });
});
