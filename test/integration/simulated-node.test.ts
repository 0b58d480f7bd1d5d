import { describe, expect, it } from 'vitest';
import { BrokerConfig } from '../../src/config/broker-config.ts';
import { BrokerNode } from '../../src/server/node.ts';
import { SimNode } from '../simulation/sim-node.ts';
import { World } from '../simulation/world.ts';

/** The composition of a node runs unchanged on simulated ports. */
describe('a node in the simulated world', () => {
  it('starts, survives a power loss, and takes the same path for the same seed', async () => {
    const run = async (seed: number): Promise<string> => {
      const world = new World({ seed });
      const node = new SimNode(world, world.machine('node1'), async (ports) => {
        const config = BrokerConfig.parse({
          profile: 'dev',
          overrides: { listeners: 'PLAINTEXT://node1:9092', 'log.dirs': '/data' },
        });
        const one = new BrokerNode({ ports, config });
        await one.start();
        return one;
      });
      const first = await node.start();
      const clusterId = first!.clusterId;
      await world.run(5_000);
      node.machine.crash('power');
      const second = await node.start();
      expect(second!.clusterId).toBe(clusterId);
      expect(second!.image.brokers.get(1)?.fenced).toBe(false);
      await world.settle(second!.stop());
      return world.trace.hash();
    };
    expect(await run(11)).toBe(await run(11));
  });
});
