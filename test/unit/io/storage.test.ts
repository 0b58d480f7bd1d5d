import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { StorageError } from '../../../src/base/ports.ts';
import { DiskStorage } from '../../../src/io/files.ts';
import { MemoryStorage } from '../../../src/io/memory-storage.ts';
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
