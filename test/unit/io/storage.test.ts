import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type Storage, StorageError } from '../../../src/base/ports.ts';
import { DiskStorage } from '../../../src/io/files.ts';
import { MemoryStorage } from '../../../src/io/memory-storage.ts';
import { OverlayStorage } from '../../../src/io/overlay-storage.ts';
import { SystemRandom } from '../../../src/io/random.ts';
import { storageContract } from './storage-contract.ts';

const root = mkdtempSync(join(tmpdir(), 'odradek-storage-'));
let dirs = 0;
const newDir = () => mkdtempSync(join(root, `${++dirs}-`));
const settle = <T>(promise: Promise<T>) => promise;

afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('files', () => {
  storageContract(() => ({ storage: new DiskStorage(new SystemRandom()), dir: newDir(), settle }));

  describe('lock', () => {
    const storage = new DiskStorage(new SystemRandom());

    test('the claim of a process that is gone does not count, whatever it left behind', () => {
      const path = join(newDir(), '.lock');
      const dead = spawnSync(process.execPath, ['-e', '']).pid;
      storage.lock(path);
      const claim = readFileSync(path, 'utf8');
      writeFileSync(path, claim.replace(` ${process.pid} `, ` ${dead} `));
      const lock = storage.lock(path);
      expect(lock).toBeDefined();
      lock?.release();
      expect(readFileSync(path, 'utf8')).toBe('');
    });

    test.runIf(process.platform === 'linux')('a process number that was given anew does not count', () => {
      const path = join(newDir(), '.lock');
      storage.lock(path);
      // As in a container: the same number, another start.
      const [sign, token, pid, , boot] = readFileSync(path, 'utf8').trim().split(' ');
      writeFileSync(path, `${[sign, token, pid, '1', boot].join(' ')}\n`);
      expect(storage.lock(path)).toBeDefined();
    });

    test.runIf(process.platform === 'linux')(
      'a killed process that nobody waits for holds nothing',
      async () => {
        const path = join(newDir(), '.lock');
        storage.lock(path);
        // The shell becomes a program that never asks after its child.
        const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], {
          stdio: ['ignore', 'pipe', 'ignore'],
        });
        try {
          const child = await new Promise<string>((resolve) =>
            parent.stdout.once('data', (out) => resolve(`${out}`.trim())),
          );
          const stat = () => readFileSync(`/proc/${child}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
          const turn = () => new Promise((resolve) => setImmediate(resolve));
          // The shell itself would ask.
          while (readFileSync(`/proc/${parent.pid}/comm`, 'utf8') !== 'sleep\n') await turn();
          process.kill(Number(child), 'SIGKILL');
          while (stat()[0] !== 'Z') await turn();
          const [sign, token, , , boot] = readFileSync(path, 'utf8').trim().split(' ');
          writeFileSync(path, `${[sign, token, child, stat()[19], boot].join(' ')}\n`);
          expect(storage.lock(path)).toBeDefined();
        } finally {
          parent.kill('SIGKILL');
        }
      },
    );

    test('what other programs left in the file is no claim', () => {
      const path = join(newDir(), '.lock');
      writeFileSync(path, 'something');
      const lock = storage.lock(path);
      expect(lock).toBeDefined();
      appendFileSync(path, 'torn + line');
      expect(storage.lock(path)).toBe(undefined);
    });

    test('a living process holds it, and loses it when it ends', () => {
      const path = join(newDir(), '.lock');
      const lock = storage.lock(path);
      const script = `
        const { readFileSync } = require('node:fs');
        process.stdout.write(String(readFileSync(process.argv[1], 'utf8').includes(' ${process.pid} ')));`;
      expect(spawnSync(process.execPath, ['-e', script, path]).stdout.toString()).toBe('true');
      expect(storage.lock(path)).toBe(undefined);
      lock?.release();
      expect(storage.lock(path)).toBeDefined();
    });
  });

  test('without permission or with a file in the way the error says which path', () => {
    const dir = newDir();
    writeFileSync(join(dir, 'file'), '');
    const storage = new DiskStorage(new SystemRandom());
    expect(() => storage.open(join(dir, 'file', 'below'), 'create')).toThrow(StorageError);
    try {
      storage.open(join(dir, 'none'), 'read');
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOENT', path: join(dir, 'none') });
    }
  });
});

describe('overlay', () => {
  const BUDGET = 16 * 1024 * 1024;
  const below = () => {
    const storage = new MemoryStorage();
    storage.makeDir('/data/folder/inner');
    for (const name of ['one', 'two', 'folder/three', 'folder/inner/four']) {
      const file = storage.open(`/data/${name}`, 'create');
      file.write([Buffer.from('0123456789')], 0);
      file.close();
    }
    return storage;
  };
  const put = (storage: Storage, path: string, text: string, at = 0) => {
    const file = storage.open(path, 'create');
    file.write([Buffer.from(text)], at);
    file.close();
  };
  const read = (storage: Storage, path: string) => {
    const file = storage.open(path, 'read');
    const into = Buffer.alloc(100);
    const text = into.subarray(0, file.read(into, 0)).toString();
    file.close();
    return text;
  };

  storageContract(() => {
    const storage = new MemoryStorage();
    storage.makeDir('/data');
    return { storage: new OverlayStorage(storage, '/data', BUDGET), dir: '/data', settle };
  });

  test('shows what changed, and changes nothing below', async () => {
    const storage = below();
    const overlay = new OverlayStorage(storage, '/data', BUDGET);
    expect(overlay.changes()).toEqual([]);
    const cut = overlay.open('/data/one', 'write');
    cut.truncate(4);
    put(overlay, '/data/two', 'xx', 5);
    put(overlay, '/data/new', 'new');
    overlay.rename('/data/folder', '/data/folder-aside');
    overlay.removeNow('/data/folder-aside/three');
    expect(read(overlay, '/data/one')).toBe('0123');
    expect(read(overlay, '/data/two')).toBe('01234xx789');
    expect(read(overlay, '/data/folder-aside/inner/four')).toBe('0123456789');
    expect(overlay.changes()).toEqual([
      { kind: 'renamed', path: '/data/folder', to: '/data/folder-aside', isDirectory: true },
      { kind: 'removed', path: '/data/folder/three', isDirectory: false },
      { kind: 'written', path: '/data/new', isNew: true, sizeInBytes: 3 },
      { kind: 'cut', path: '/data/one', fromBytes: 10, toBytes: 4 },
      { kind: 'written', path: '/data/two', isNew: false, sizeInBytes: 10 },
    ]);
    for (const name of ['one', 'two', 'folder/three'])
      expect(read(storage, `/data/${name}`)).toBe('0123456789');
    expect(storage.list('/data').map(({ name }) => name)).toEqual(['folder', 'one', 'two']);
  });

  test('a file that is replaced by equal bytes, by way of a temporary one, has not changed', () => {
    const overlay = new OverlayStorage(below(), '/data', BUDGET);
    put(overlay, '/data/one.tmp', '0123456789');
    overlay.rename('/data/one.tmp', '/data/one');
    expect(overlay.changes()).toEqual([]);
  });

  test('a directory that is removed is told once', async () => {
    const overlay = new OverlayStorage(below(), '/data', BUDGET);
    await overlay.remove('/data/folder');
    expect(overlay.changes()).toEqual([{ kind: 'removed', path: '/data/folder', isDirectory: true }]);
  });

  test('files outside of it can be read, not written', () => {
    const storage = below();
    const overlay = new OverlayStorage(storage, '/data/folder', BUDGET);
    expect(overlay.sizeOf('/data/one')).toBe(10);
    expect(read(overlay, '/data/one')).toBe('0123456789');
    expect(() => put(overlay, '/data/one', 'x')).toThrow(StorageError);
    expect(read(storage, '/data/one')).toBe('0123456789');
  });

  test('changes beyond the budget are ENOSPC', () => {
    const overlay = new OverlayStorage(below(), '/data', 64 * 1024);
    const file = overlay.open('/data/new', 'create');
    file.write([Buffer.alloc(64 * 1024)], 0);
    expect(() => file.write([Buffer.alloc(1)], 64 * 1024)).toThrow(/used up/);
    file.close();
  });
});

describe('memory', () => {
  storageContract(() => {
    const storage = new MemoryStorage();
    storage.makeDir('/data');
    return { storage, dir: '/data', settle };
  });

  test('memory goes back when a file is cut, and when it has lost its name and its last reader', async () => {
    const storage = new MemoryStorage({ maxBytes: 10 * 1024 * 1024 });
    const used = () => storage.volume('/').totalBytes - storage.volume('/').usableBytes;
    const file = storage.open('/a', 'create');
    for (let i = 0; i < 64; i++) file.write([Buffer.alloc(64 * 1024, i)], i * 64 * 1024);
    expect(used()).toBe(4 * 1024 * 1024);
    file.truncate(100_000);
    expect(used()).toBe(128 * 1024);
    await storage.remove('/a');
    expect(used()).toBe(128 * 1024);
    file.close();
    expect(used()).toBe(0);
  });

  test('a small file takes little, and a full storage writes short, then refuses', () => {
    const storage = new MemoryStorage({ maxBytes: 256 * 1024 });
    const used = () => storage.volume('/').totalBytes - storage.volume('/').usableBytes;
    const small = storage.open('/small', 'create');
    small.write([Buffer.alloc(10, 1)], 0);
    expect(used()).toBe(1024);
    const file = storage.open('/large', 'create');
    const written = file.write([Buffer.alloc(512 * 1024, 7)], 0);
    expect(written).toBeGreaterThan(0);
    expect(written).toBeLessThan(512 * 1024);
    expect(file.size()).toBe(written);
    expect(() => file.write([Buffer.alloc(1024)], written)).toThrow(
      expect.objectContaining({ code: 'ENOSPC' }),
    );
    expect(file.size()).toBe(written);
  });
});
