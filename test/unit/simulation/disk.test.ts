import { expect, test } from 'vitest';
import type { Storage } from '../../../src/base/ports.ts';
import type { CrashMode } from '../../simulation/disk-file.ts';
import { World } from '../../simulation/world.ts';

function setUp(seed = 1) {
  const world = new World({ seed });
  const machine = world.machine('n1');
  const { storage } = machine.boot().ports;
  const reboot = (mode: CrashMode): Storage => {
    machine.crash('power', mode);
    return machine.boot().ports.storage;
  };
  return { world, machine, disk: machine.disk, storage, reboot };
}

function content(storage: Storage, path: string): string | undefined {
  const size = storage.sizeOf(path);
  if (size === undefined) return undefined;
  const file = storage.open(path, 'read');
  const into = Buffer.alloc(size);
  file.read(into, 0);
  return into.toString('latin1');
}

const bytes = (text: string) => Buffer.from(text, 'latin1');

test('a power loss forgets what was not synced, and keeps what was when sync was called', async () => {
  const { world, storage, reboot } = setUp();
  const file = storage.open('/a', 'create');
  file.write([bytes('safe')], 0);
  const synced = file.sync();
  file.write([bytes('LOST')], 4);
  await world.settle(synced);
  await world.settle(storage.syncDir('/'));
  expect(content(reboot('forget'), '/a')).toBe('safe');
});

test('a sync that has not resolved promises nothing', async () => {
  const { storage, reboot, world } = setUp();
  const file = storage.open('/a', 'create');
  await world.settle(storage.syncDir('/'));
  file.write([bytes('x')], 0);
  file.sync();
  expect(content(reboot('forget'), '/a')).toBe('');
});

test('torn: a prefix of the unsynced writes, the last one cut, sometimes with zeros behind it', async () => {
  const seen = { all: 0, none: 0, cut: 0, zeros: 0 };
  for (let seed = 1; seed <= 300; seed++) {
    const { world, storage, reboot } = setUp(seed);
    const file = storage.open('/a', 'create');
    file.write([bytes('0'.repeat(100))], 0);
    await world.settle(Promise.all([file.sync(), storage.syncDir('/')]));
    for (let i = 1; i <= 3; i++) file.write([bytes(String(i).repeat(1000))], 100 + (i - 1) * 1000);
    const after = content(reboot('tear'), '/a') as string;
    expect(after).toMatch(/^0{100}(1*|1{1000}2*|1{1000}2{1000}3*)\0*$/);
    if (after.length === 3100 && !after.includes('\0')) seen.all++;
    else if (after.length === 100) seen.none++;
    else if (after.includes('\0')) seen.zeros++;
    else seen.cut++;
  }
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(10);
});

test('a truncation is lost too, and overwritten bytes come back', async () => {
  const { world, storage, reboot } = setUp();
  const file = storage.open('/a', 'create');
  file.write([bytes('abcdef')], 0);
  await world.settle(Promise.all([file.sync(), storage.syncDir('/')]));
  file.write([bytes('XY')], 0);
  file.truncate(3);
  expect(content(storage, '/a')).toBe('XYc');
  expect(content(reboot('forget'), '/a')).toBe('abcdef');
});

test('names live through syncDir of their directory only', async () => {
  const { world, storage, reboot } = setUp();
  storage.makeDir('/logs/t-0');
  const file = storage.open('/logs/t-0/0.log', 'create');
  file.write([bytes('data')], 0);
  await world.settle(file.sync());
  await world.settle(storage.syncDir('/logs/t-0'));
  const once = reboot('forget');
  expect(once.isDirectory('/logs')).toBe(false);
  once.makeDir('/logs/t-0');
  const again = once.open('/logs/t-0/0.log', 'create');
  again.write([bytes('data')], 0);
  for (const dir of ['/', '/logs', '/logs/t-0']) await world.settle(once.syncDir(dir));
  await world.settle(again.sync());
  once.removeNow('/logs/t-0/0.log');
  once.open('/logs/t-0/1.log', 'create');
  const twice = reboot('forget');
  expect(twice.list('/logs/t-0').map(({ name }) => name)).toEqual(['0.log']);
  expect(content(twice, '/logs/t-0/0.log')).toBe('data');
});

test('a rename happens or does not; it never loses both names', async () => {
  const outcomes = new Set<string>();
  for (let seed = 1; seed <= 40; seed++) {
    const { world, storage, reboot } = setUp(seed);
    for (const [path, text] of [
      ['/checkpoint', 'old'],
      ['/checkpoint.tmp', 'new'],
    ] as const) {
      const file = storage.open(path, 'create');
      file.write([bytes(text)], 0);
      await world.settle(file.sync());
    }
    await world.settle(storage.syncDir('/'));
    storage.rename('/checkpoint.tmp', '/checkpoint');
    const after = reboot('tear');
    outcomes.add(`${content(after, '/checkpoint')} ${content(after, '/checkpoint.tmp')}`);
  }
  expect([...outcomes].sort()).toEqual(['new undefined', 'old new']);
});

test('a killed process loses nothing that was written, and its locks', () => {
  const { machine, storage } = setUp();
  storage.open('/a', 'create').write([bytes('abc')], 0);
  expect(storage.lock('/.lock')).toBeDefined();
  machine.crash('kill');
  const again = machine.boot().ports.storage;
  expect(content(again, '/a')).toBe('abc');
  expect(again.lock('/.lock')).toBeDefined();
});

test('a failed sync loses for good what it should have brought, though it can be read', async () => {
  const { world, storage, disk, reboot } = setUp();
  const file = storage.open('/a', 'create');
  await world.settle(storage.syncDir('/'));
  file.write([bytes('abc')], 0);
  disk.failNext('sync', 'EIO');
  await expect(world.settle(file.sync())).rejects.toMatchObject({ code: 'EIO', path: '/a' });
  expect(content(storage, '/a')).toBe('abc');
  await world.settle(file.sync());
  expect(content(reboot('forget'), '/a')).toBe('');
});

test('writes go short, fail, and find the disk full', () => {
  const { storage, disk } = setUp();
  const file = storage.open('/a', 'create');
  disk.faults.writeShort = 1;
  const short = file.write([bytes('0123456789')], 0);
  expect(short).toBeGreaterThan(0);
  expect(short).toBeLessThan(10);
  expect(file.size()).toBe(short);
  disk.faults.writeShort = 0;
  disk.failNext('write', 'ENOSPC', /\/a$/);
  expect(() => file.write([bytes('x')], short)).toThrow(expect.objectContaining({ code: 'ENOSPC' }));
  disk.faults.writeFails = 1;
  expect(() => file.write([bytes('x')], short)).toThrow(expect.objectContaining({ code: 'EIO' }));
  disk.faults.writeFails = 0;
  file.truncate(0);
  disk.capacityBytes = 100;
  expect(file.write([Buffer.alloc(150)], 0)).toBe(100);
  expect(() => file.write([Buffer.alloc(1)], 100)).toThrow(expect.objectContaining({ code: 'ENOSPC' }));
  expect(storage.volume('/').usableBytes).toBe(0);
});

test('the power can go instead of any single operation', () => {
  for (let at = 0; at < 4; at++) {
    const { storage, disk, machine } = setUp(at);
    disk.crashInstead(at, () => machine.crash('power', 'forget'));
    const run = () => {
      storage.makeDir('/a');
      const file = storage.open('/a/1', 'create');
      file.write([bytes('x')], 0);
      file.truncate(0);
    };
    expect(run).toThrow('dead');
    expect(machine.process).toBe(undefined);
    expect(disk.files().size).toBe(0);
    expect(disk.counts.makeDir + disk.counts.open + disk.counts.write + disk.counts.truncate).toBe(at + 1);
  }
});

test('a disk that only claims to sync is a canary', async () => {
  const { world, storage, disk, reboot } = setUp();
  disk.ignoresSync = true;
  const file = storage.open('/a', 'create');
  file.write([bytes('abc')], 0);
  await world.settle(Promise.all([file.sync(), storage.syncDir('/')]));
  expect(content(reboot('forget'), '/a')).toBe(undefined);
});
