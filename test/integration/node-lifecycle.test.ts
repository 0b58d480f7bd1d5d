import { setImmediate as nextTick } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Storage, StorageError, type StoredFile } from '../../src/base/ports.ts';
import { BrokerConfig } from '../../src/config/broker-config.ts';
import { realPorts } from '../../src/io/index.ts';
import { defaults } from '../../src/protocol/codec.ts';
import { CreateTopicsRequest, CreateTopicsResponse } from '../../src/protocol/messages/create-topics.ts';
import { BrokerNode, StartInterruptedError } from '../../src/server/node.ts';
import { silentLogger } from '../unit/server/fakes.ts';
import { overlaid } from './overlaid.ts';
import { WireClient } from './wire-client.ts';

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

/** Writes to the metadata log fail once `isFailing`, as on a broken disk. */
class MetadataDisk {
  isFailing = false;
  readonly ports: ReturnType<typeof realPorts>;

  constructor() {
    const ports = realPorts({ logger: silentLogger, memory: true });
    this.ports = { ...ports, storage: this.#around(ports.storage) };
  }

  #around(storage: Storage): Storage {
    const open: Storage['open'] = (path, mode) => {
      const file = storage.open(path, mode);
      if (!/__cluster_metadata-0\/\d+\.log$/.test(path)) return file;
      const write: StoredFile['write'] = (chunks, at) => {
        if (this.isFailing) throw new StorageError('EIO', path, 'the disk is broken');
        return file.write(chunks, at);
      };
      return overlaid(file, { write });
    };
    return overlaid(storage, { open });
  }
}

describe('a node whose metadata log can not be written', () => {
  it('does not start, and says why', async () => {
    const disk = new MetadataDisk();
    const first = node(disk.ports);
    await first.start();
    await first.stop();
    disk.isFailing = true;
    await expect(node(disk.ports).start()).rejects.toThrow('the disk is broken');
    disk.isFailing = false;
    const again = node(disk.ports);
    await again.start();
    await again.stop();
  });

  it('ends where it ran, and says why once', async () => {
    const disk = new MetadataDisk();
    const reasons: string[] = [];
    const config = BrokerConfig.parse({ profile: 'dev', port: 0 });
    const one = new BrokerNode({
      ports: disk.ports,
      config,
      onFatal: ({ message }) => reasons.push(message),
    });
    await one.start();
    disk.isFailing = true;
    const listener = one.listeners.find(({ advertised }) => advertised !== undefined);
    const client = await WireClient.open(`localhost:${listener!.bound.port}`);
    const topics = [{ name: 't', numPartitions: 1, replicationFactor: 1 }];
    const request = defaults(CreateTopicsRequest, { topics, timeoutMs: 60_000 });
    await client.request(CreateTopicsRequest, CreateTopicsResponse, 5, request).catch(() => undefined);
    client.close();
    await one.stop();
    expect(reasons).toEqual([expect.stringContaining('the disk is broken')]);
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
