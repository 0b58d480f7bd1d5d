import { expect, test } from 'vitest';
import { type Storage, StorageError } from '../../../src/base/ports.ts';

export interface StorageUnderTest {
  readonly storage: Storage;
  /** A directory that exists and is empty. */
  readonly dir: string;
  /** Waits for what the storage does off the loop; a simulated world runs on meanwhile. */
  settle<T>(promise: Promise<T>): Promise<T>;
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');
const bytes = (content: string) => Buffer.from(content, 'latin1');

function codeOf(run: () => unknown): string | undefined {
  try {
    run();
  } catch (error) {
    if (error instanceof StorageError) return error.code;
    throw error;
  }
  return undefined;
}

/** What every {@link Storage} keeps to: the tests of the real ones and of the simulated one. */
export function storageContract(make: () => StorageUnderTest): void {
  const content = (storage: Storage, path: string) => {
    const file = storage.open(path, 'read');
    const into = Buffer.alloc(file.size());
    expect(file.read(into, 0)).toBe(into.length);
    file.close();
    return text(into);
  };
  const put = (storage: Storage, path: string, what: string) => {
    const file = storage.open(path, 'truncate');
    expect(file.write([bytes(what)], 0)).toBe(what.length);
    file.close();
  };

  test('what was written can be read at once, by another handle too', () => {
    const { storage, dir } = make();
    const file = storage.open(`${dir}/a`, 'create');
    expect(file.path).toBe(`${dir}/a`);
    expect(file.write([bytes('abc'), bytes(''), bytes('defg')], 0)).toBe(7);
    expect(file.size()).toBe(7);
    expect(storage.sizeOf(`${dir}/a`)).toBe(7);
    expect(content(storage, `${dir}/a`)).toBe('abcdefg');
    expect(file.write([bytes('XY')], 2)).toBe(2);
    expect(content(storage, `${dir}/a`)).toBe('abXYefg');
    expect(file.write([], 7)).toBe(0);
    file.close();
  });

  test('large and scattered writes keep every byte', () => {
    const { storage, dir } = make();
    const file = storage.open(`${dir}/large`, 'create');
    const model = Buffer.alloc(1_700_000);
    for (let i = 0; i < 60; i++) {
      const at = (i * 7919 * 31) % 1_000_000;
      // Up to some 30 kB, every tenth time up to 200 kB.
      const most = i % 10 === 0 ? 200_000 : 30_000;
      const chunks = [1, 2, 3].map((k) => Buffer.alloc(((i + 1) * 9973 * k) % most, 33 + ((i + k) % 90)));
      const joined = Buffer.concat(chunks);
      expect(file.write(chunks, at)).toBe(joined.length);
      joined.copy(model, at);
    }
    const size = file.size();
    const into = Buffer.alloc(size);
    expect(file.read(into, 0)).toBe(size);
    expect(into.equals(model.subarray(0, size))).toBe(true);
    expect(model.subarray(size).every((byte) => byte === 0)).toBe(true);
    file.close();
  });

  test('a read is short at the end of the file only', async () => {
    const { storage, dir, settle } = make();
    put(storage, `${dir}/a`, '0123456789');
    const file = storage.open(`${dir}/a`, 'read');
    const into = Buffer.alloc(6, '.');
    expect(file.read(into, 7)).toBe(3);
    expect(text(into)).toBe('789...');
    expect(file.read(into, 10)).toBe(0);
    expect(file.read(into, 50)).toBe(0);
    expect(await settle(file.readLater(into, 4))).toBe(6);
    expect(text(into)).toBe('456789');
    expect(await settle(file.readLater(into, 9))).toBe(1);
    expect(await settle(file.readLater(into, 99))).toBe(0);
    file.close();
  });

  test('a file tells when it was written last', () => {
    const { storage, dir } = make();
    expect([storage.modifiedMs(`${dir}/a`), storage.modifiedMs(dir)]).toEqual([undefined, undefined]);
    put(storage, `${dir}/a`, 'first');
    const first = storage.modifiedMs(`${dir}/a`) ?? 0;
    expect(Number.isInteger(first) && first > Date.UTC(2020)).toBe(true);
    put(storage, `${dir}/a`, 'second');
    expect(storage.modifiedMs(`${dir}/a`)).toBeGreaterThanOrEqual(first);
  });

  test('open modes', () => {
    const { storage, dir } = make();
    expect(codeOf(() => storage.open(`${dir}/none`, 'read'))).toBe('ENOENT');
    expect(codeOf(() => storage.open(`${dir}/none`, 'write'))).toBe('ENOENT');
    expect(codeOf(() => storage.open(`${dir}/no/dir`, 'create'))).toBe('ENOENT');
    put(storage, `${dir}/a`, 'abc');
    storage.open(`${dir}/a`, 'create').close();
    expect(content(storage, `${dir}/a`)).toBe('abc');
    storage.open(`${dir}/a`, 'write').close();
    expect(content(storage, `${dir}/a`)).toBe('abc');
    storage.open(`${dir}/a`, 'truncate').close();
    expect(storage.sizeOf(`${dir}/a`)).toBe(0);
    const reader = storage.open(`${dir}/a`, 'read');
    expect(codeOf(() => reader.write([bytes('x')], 0))).not.toBe(undefined);
    reader.close();
  });

  test('truncate cuts, and grows with zeros', () => {
    const { storage, dir } = make();
    const file = storage.open(`${dir}/a`, 'create');
    file.write([bytes('abcdef')], 0);
    file.truncate(2);
    expect(file.size()).toBe(2);
    file.truncate(4);
    expect(content(storage, `${dir}/a`)).toBe('ab\0\0');
    file.write([bytes('z')], 6);
    expect(content(storage, `${dir}/a`)).toBe('ab\0\0\0\0z');
    file.close();
  });

  test('a closed file refuses, and closing twice is nothing', async () => {
    const { storage, dir, settle } = make();
    const file = storage.open(`${dir}/a`, 'create');
    file.write([bytes('abc')], 0);
    const synced = settle(file.sync());
    file.close();
    file.close();
    await synced;
    expect(codeOf(() => file.size())).toBe('EOTHER');
    expect(codeOf(() => file.write([bytes('x')], 0))).toBe('EOTHER');
    expect(codeOf(() => file.read(Buffer.alloc(1), 0))).toBe('EOTHER');
    await expect(settle(file.sync())).rejects.toThrow(StorageError);
    await expect(settle(file.readLater(Buffer.alloc(1), 0))).rejects.toThrow(StorageError);
  });

  test('a file that loses its name stays readable to who has it open', async () => {
    const { storage, dir, settle } = make();
    put(storage, `${dir}/a`, 'abc');
    const file = storage.open(`${dir}/a`, 'write');
    await settle(storage.remove(`${dir}/a`));
    expect(storage.sizeOf(`${dir}/a`)).toBe(undefined);
    file.write([bytes('def')], 3);
    const into = Buffer.alloc(6);
    expect(file.read(into, 0)).toBe(6);
    expect(text(into)).toBe('abcdef');
    put(storage, `${dir}/a`, 'new');
    expect(file.size()).toBe(6);
    file.close();
    expect(content(storage, `${dir}/a`)).toBe('new');
  });

  test('directories: made with parents, listed in order, told from files', () => {
    const { storage, dir } = make();
    storage.makeDir(`${dir}/x/y`);
    storage.makeDir(`${dir}/x/y`);
    put(storage, `${dir}/x/b`, '1');
    put(storage, `${dir}/x/B`, '1');
    put(storage, `${dir}/x/a`, '1');
    expect(storage.list(`${dir}/x`)).toEqual([
      { name: 'B', isDirectory: false },
      { name: 'a', isDirectory: false },
      { name: 'b', isDirectory: false },
      { name: 'y', isDirectory: true },
    ]);
    expect(storage.isDirectory(`${dir}/x/y`)).toBe(true);
    expect(storage.isDirectory(`${dir}/x/a`)).toBe(false);
    expect(storage.isDirectory(`${dir}/nothing`)).toBe(false);
    expect(storage.sizeOf(`${dir}/x/y`)).toBe(undefined);
    expect(codeOf(() => storage.list(`${dir}/nothing`))).toBe('ENOENT');
    expect(codeOf(() => storage.makeDir(`${dir}/x/a`))).toBe('EEXIST');
    expect(codeOf(() => storage.open(`${dir}/x/y`, 'create'))).not.toBe(undefined);
  });

  test('rename moves files and directories, and replaces files', async () => {
    const { storage, dir, settle } = make();
    put(storage, `${dir}/a`, 'new');
    put(storage, `${dir}/b`, 'old');
    storage.rename(`${dir}/a`, `${dir}/b`);
    expect(storage.sizeOf(`${dir}/a`)).toBe(undefined);
    expect(content(storage, `${dir}/b`)).toBe('new');
    storage.makeDir(`${dir}/t-0`);
    put(storage, `${dir}/t-0/0.log`, 'data');
    const open = storage.open(`${dir}/t-0/0.log`, 'write');
    storage.rename(`${dir}/t-0`, `${dir}/t-0.x-delete`);
    open.write([bytes('!')], 4);
    open.close();
    expect(content(storage, `${dir}/t-0.x-delete/0.log`)).toBe('data!');
    expect(storage.isDirectory(`${dir}/t-0`)).toBe(false);
    expect(codeOf(() => storage.rename(`${dir}/none`, `${dir}/other`))).toBe('ENOENT');
    await settle(storage.syncDir(dir));
  });

  test('removal: of nothing, of one file now, of a tree', async () => {
    const { storage, dir, settle } = make();
    storage.removeNow(`${dir}/none`);
    await settle(storage.remove(`${dir}/none`));
    put(storage, `${dir}/a`, '1');
    storage.removeNow(`${dir}/a`);
    expect(storage.sizeOf(`${dir}/a`)).toBe(undefined);
    storage.makeDir(`${dir}/t/u`);
    put(storage, `${dir}/t/1`, '1');
    put(storage, `${dir}/t/u/2`, '2');
    expect(codeOf(() => storage.removeNow(`${dir}/t`))).not.toBe(undefined);
    await settle(storage.remove(`${dir}/t`));
    expect(storage.list(dir)).toEqual([]);
  });

  test('a lock is held by one', () => {
    const { storage, dir } = make();
    const first = storage.lock(`${dir}/.lock`);
    expect(first).toBeDefined();
    expect(storage.lock(`${dir}/.lock`)).toBe(undefined);
    const other = storage.lock(`${dir}/.other`);
    expect(other).toBeDefined();
    first?.release();
    const second = storage.lock(`${dir}/.lock`);
    expect(second).toBeDefined();
    expect(storage.lock(`${dir}/.lock`)).toBe(undefined);
    second?.release();
    other?.release();
  });

  test('syncs settle, many at once too, and the volume has bytes', async () => {
    const { storage, dir, settle } = make();
    const file = storage.open(`${dir}/a`, 'create');
    const syncs: Promise<void>[] = [];
    for (let i = 0; i < 20; i++) {
      file.write([bytes('x')], i);
      syncs.push(file.sync());
    }
    await settle(Promise.all(syncs));
    await settle(storage.syncDir(dir));
    await expect(settle(storage.syncDir(`${dir}/nothing`))).rejects.toThrow(StorageError);
    const { totalBytes, usableBytes } = storage.volume(dir);
    expect(totalBytes).toBeGreaterThan(0);
    expect(usableBytes).toBeGreaterThan(0);
    expect(usableBytes).toBeLessThanOrEqual(totalBytes);
    file.close();
  });
}
