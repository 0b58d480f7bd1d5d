import { setImmediate as nextTick } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { BrokerConfig } from '../../src/config/broker-config.ts';
import { realPorts } from '../../src/io/index.ts';
import { BrokerNode, StartInterruptedError } from '../../src/server/node.ts';
import { silentLogger } from '../unit/server/fakes.ts';

function node(ports = realPorts({ logger: silentLogger, memory: true })): BrokerNode {
  return new BrokerNode({ ports, config: BrokerConfig.parse({ profile: 'dev', port: 0 }) });
}

describe('BrokerNode', () => {
  it('may be stopped at any moment of its start, and its data serves the next one', async () => {
    const ports = realPorts({ logger: silentLogger, memory: true });
    let interrupted = 0;
    for (let ticks = 0; ticks < 60; ticks++) {
      const one = node(ports);
      const outcome = one.start().then(
        () => 'started',
        (error: unknown) => {
          if (!(error instanceof StartInterruptedError)) throw error;
          interrupted += 1;
          return 'interrupted';
        },
      );
      for (let i = 0; i < ticks; i++) await nextTick();
      await one.stop();
      await outcome;
    }
    expect(interrupted).toBeGreaterThan(0);
    const last = node(ports);
    await last.start();
    expect(last.listeners.length).toBeGreaterThan(0);
    await last.stop();
  });

  it('starts once', async () => {
    const one = node();
    await one.start();
    await expect(one.start()).rejects.toThrow(/can't start/);
    await one.stop();
    await expect(one.start()).rejects.toThrow(/can't start/);
  });

  it('may be stopped before it was started', async () => {
    const one = node();
    await one.stop();
    await expect(one.start()).rejects.toThrow(/can't start/);
  });

  it('keeps its cluster id and refuses another one, naming both', async () => {
    const ports = realPorts({ logger: silentLogger, memory: true });
    const first = node(ports);
    await first.start();
    const { clusterId } = first;
    await first.stop();
    const config = BrokerConfig.parse({ profile: 'dev', port: 0 });
    const other = new BrokerNode({ ports, config, clusterId: 'AAAAAAAAAAAAAAAAAAAAAg' });
    await expect(other.start()).rejects.toThrow(new RegExp(`AAAAAAAAAAAAAAAAAAAAAg[\\s\\S]*${clusterId}`));
  });

  it('has the same metadata after a restart', async () => {
    const ports = realPorts({ logger: silentLogger, memory: true });
    const first = node(ports);
    await first.start();
    const features = new Map(first.image.features.finalized);
    await first.stop();
    const second = node(ports);
    await second.start();
    expect(new Map(second.image.features.finalized)).toEqual(features);
    expect(second.image.brokers.get(1)?.fenced).toBe(false);
    await second.stop();
  });
});

describe('a folder that the metadata does not know', () => {
  it('is put aside under a -stray name, and never keeps the node from starting', async () => {
    const ports = realPorts({ logger: silentLogger, memory: true });
    const first = node(ports);
    await first.start();
    await first.stop();
    const dir = first.config.logDirs[0]!;
    ports.storage.makeDir(`${dir}/forgotten-0`);
    const second = node(ports);
    await second.start();
    const names = ports.storage.list(dir).map(({ name }) => name);
    expect(names).not.toContain('forgotten-0');
    expect(names.some((name) => /^forgotten-0\.[0-9a-f]+-stray$/.test(name))).toBe(true);
    await second.stop();
    const third = node(ports);
    await third.start();
    await third.stop();
  });
});
