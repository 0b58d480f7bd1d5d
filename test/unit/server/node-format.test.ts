import { describe, expect, it } from 'vitest';
import { realPorts } from '../../../src/io/index.ts';
import { DirLocks } from '../../../src/server/dir-locks.ts';
import { InitialLogDirs } from '../../../src/server/initial-log-dirs.ts';
import { NEW_CLUSTER_RECORDS } from '../../../src/server/node-features.ts';
import { identifyNode } from '../../../src/server/node-format.ts';
import { silentLogger } from './fakes.ts';

type Ports = ReturnType<typeof realPorts>;

/** Locks the dirs and identifies the node, as a start does. */
async function identify(ports: Ports, logDirs: readonly string[], metadataLogDir = logDirs[0]!) {
  const dirs = new InitialLogDirs(metadataLogDir, logDirs);
  const locks = new DirLocks(ports.storage);
  try {
    await locks.take(dirs);
    return await identifyNode({
      ports,
      nodeId: 1,
      clusterId: undefined,
      dirs,
      endpoints: [],
      bootstrapRecords: NEW_CLUSTER_RECORDS,
    });
  } finally {
    locks.release();
  }
}

const memoryPorts = () => realPorts({ logger: silentLogger, memory: true });

function textOf(ports: Ports, path: string): string {
  const file = ports.storage.open(path, 'read');
  const bytes = Buffer.alloc(file.size());
  file.read(bytes, 0);
  file.close();
  return bytes.toString();
}

function replaceIn(ports: Ports, path: string, pattern: RegExp, by: string): void {
  const text = textOf(ports, path).replace(pattern, by);
  const file = ports.storage.open(path, 'truncate');
  file.write([Buffer.from(text)], 0);
  file.close();
}

describe('identifyNode', () => {
  it('formats dirs once and reuses them, also with a further dir behind them', async () => {
    const ports = memoryPorts();
    const first = await identify(ports, ['/a', '/b']);
    expect(first.isNew).toBe(true);
    const again = await identify(ports, ['/a', '/b', '/c']);
    expect(again.isNew).toBe(false);
    expect(again.clusterId).toBe(first.clusterId);
    expect(again.directoryIds.get('/b')).toBe(first.directoryIds.get('/b'));
    expect(textOf(ports, '/c/meta.properties')).toContain(`cluster.id=${first.clusterId}`);
  });

  it('names both cluster ids, both files and two ways out where two dirs disagree', async () => {
    const ports = memoryPorts();
    const { clusterId } = await identify(ports, ['/a', '/b']);
    replaceIn(ports, '/b/meta.properties', /cluster\.id=.*/, 'cluster.id=AAAAAAAAAAAAAAAAAAAAAQ');
    await expect(identify(ports, ['/a', '/b'])).rejects.toThrow(
      `/b/meta.properties says that its data belongs to cluster AAAAAAAAAAAAAAAAAAAAAQ, but /a/meta.properties names cluster ${clusterId}`,
    );
    await expect(identify(ports, ['/a', '/b'])).rejects.toThrow(/Either .* or /);
  });

  it('refuses to begin a new metadata log in front of dirs that have one', async () => {
    const ports = memoryPorts();
    await identify(ports, ['/a', '/b']);
    await expect(identify(ports, ['/new', '/a', '/b'])).rejects.toThrow(
      /lies in \/a; .* metadata\.log\.dir=\/a/,
    );
    const found = await identify(ports, ['/a', '/new', '/b'], '/a');
    expect(found.isNew).toBe(false);
  });

  it('refuses to begin a new metadata log where there are partitions that it would not know', async () => {
    const ports = memoryPorts();
    ports.storage.makeDir('/a/orders-0');
    await expect(identify(ports, ['/a'])).rejects.toThrow(/\/a holds partitions, such as orders-0/);
    expect(ports.storage.sizeOf('/a/meta.properties')).toBeUndefined();
  });

  it('refuses a metadata log whose meta.properties is gone', async () => {
    const ports = memoryPorts();
    await identify(ports, ['/a']);
    const log = ports.storage.open('/a/__cluster_metadata-0/00000000000000000000.log', 'create');
    log.write([Buffer.from('records')], 0);
    log.close();
    ports.storage.removeNow('/a/meta.properties');
    await expect(identify(ports, ['/a'])).rejects.toThrow(/\/a\/meta\.properties is missing/);
  });

  it('completes a format that was interrupted before meta.properties', async () => {
    const ports = memoryPorts();
    await identify(ports, ['/a']);
    ports.storage.removeNow('/a/meta.properties');
    expect((await identify(ports, ['/a'])).isNew).toBe(true);
  });

  it('begins a metadata log in a dir of the times of ZooKeeper, and keeps its cluster id', async () => {
    const ports = memoryPorts();
    ports.storage.makeDir('/a');
    const file = ports.storage.open('/a/meta.properties', 'create');
    file.write([Buffer.from('version=0\nbroker.id=1\ncluster.id=AAAAAAAAAAAAAAAAAAAAAQ\n')], 0);
    file.close();
    const { clusterId, isNew } = await identify(ports, ['/a']);
    expect({ clusterId, isNew }).toEqual({ clusterId: 'AAAAAAAAAAAAAAAAAAAAAQ', isNew: true });
    expect(ports.storage.sizeOf('/a/bootstrap.checkpoint')).toBeGreaterThan(0);
  });

  it('refuses a log dir that is a copy of another', async () => {
    const ports = memoryPorts();
    await identify(ports, ['/a', '/b']);
    const id = /directory\.id=.*/.exec(textOf(ports, '/a/meta.properties'))![0];
    replaceIn(ports, '/b/meta.properties', /directory\.id=.*/, id);
    await expect(identify(ports, ['/a', '/b'])).rejects.toThrow(/same directory\.id/);
  });
});
