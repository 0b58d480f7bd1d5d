import {
  close as closeAsync,
  closeSync,
  constants,
  fsync,
  fsyncSync,
  mkdirSync,
  open as openAsync,
  openSync,
  readdirSync,
  renameSync,
  statfsSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { lstat, readdir, rmdir, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Gate } from '../base/gate.ts';
import type { DirEntry, OpenMode, Random, Storage, StoredFile } from '../base/ports.ts';
import { DiskFile } from './file.ts';
import { takeLock } from './lock-file.ts';
import { mapped, storageError } from './storage-error.ts';

/** Reads off the loop, at once in all: more only get in each other's way, and leave no thread for fdatasync. */
const READS_AT_ONCE = 2;
/** Taking a gibibyte away holds a thread for 50 ms. */
const REMOVALS_AT_ONCE = 1;

const { O_CREAT, O_RDONLY, O_RDWR, O_TRUNC } = constants;
const flags: Readonly<Record<OpenMode, number>> = {
  read: O_RDONLY,
  write: O_RDWR,
  create: O_RDWR | O_CREAT,
  truncate: O_RDWR | O_CREAT | O_TRUNC,
};

export class DiskStorage implements Storage {
  readonly #random: Random;
  readonly #reads = new Gate(READS_AT_ONCE);
  readonly #removals = new Gate(REMOVALS_AT_ONCE);

  constructor(random: Random) {
    this.#random = random;
  }

  open(path: string, mode: OpenMode): StoredFile {
    return new DiskFile(
      path,
      mapped(path, () => openSync(path, flags[mode], 0o644)),
      this.#reads,
    );
  }

  sizeOf(path: string): number | undefined {
    const stats = mapped(path, () => statSync(path, { throwIfNoEntry: false }));
    return stats?.isFile() === true ? stats.size : undefined;
  }

  modifiedMs(path: string): number | undefined {
    const stats = mapped(path, () => statSync(path, { throwIfNoEntry: false }));
    return stats?.isFile() === true ? Math.floor(stats.mtimeMs) : undefined;
  }

  isDirectory(path: string): boolean {
    return mapped(path, () => statSync(path, { throwIfNoEntry: false }))?.isDirectory() ?? false;
  }

  list(dir: string): readonly DirEntry[] {
    return mapped(dir, () => readdirSync(dir, { withFileTypes: true }))
      .map((entry) => ({
        name: entry.name,
        isDirectory: entry.isSymbolicLink() ? this.isDirectory(`${dir}/${entry.name}`) : entry.isDirectory(),
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  makeDir(dir: string): void {
    mapped(dir, () => mkdirSync(dir, { recursive: true }));
  }

  rename(from: string, to: string): void {
    mapped(from, () => renameSync(from, to));
  }

  removeNow(path: string): void {
    try {
      unlinkSync(path);
    } catch (error) {
      const failure = storageError(error, path);
      if (failure.code !== 'ENOENT') throw failure;
    }
  }

  remove(path: string): Promise<void> {
    return this.#removals.run(() =>
      removeTree(path).catch((error: unknown) => {
        throw storageError(error, path);
      }),
    );
  }

  syncDir(dir: string): Promise<void> {
    // Windows can't open a directory, and makes names durable with the file.
    if (process.platform === 'win32') return Promise.resolve();
    return new Promise((resolve, reject) => {
      openAsync(dir, O_RDONLY, (openError, fd) => {
        if (openError !== null) {
          reject(storageError(openError, dir));
          return;
        }
        fsync(fd, (syncError) => {
          closeAsync(fd, () => {
            if (syncError === null) resolve();
            else reject(storageError(syncError, dir));
          });
        });
      });
    });
  }

  syncNow(path: string): void {
    if (process.platform === 'win32' && this.isDirectory(path)) return;
    mapped(path, () => {
      // Windows syncs only what is open for writing.
      const fd = openSync(path, process.platform === 'win32' ? O_RDWR : O_RDONLY);
      try {
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
    });
  }

  volume(path: string): { readonly totalBytes: number; readonly usableBytes: number } {
    const { bsize, blocks, bavail } = mapped(path, () => statfsSync(path));
    return { totalBytes: bsize * blocks, usableBytes: bsize * bavail };
  }

  lock(path: string): { release(): void } | undefined {
    return mapped(path, () => {
      mkdirSync(dirname(path), { recursive: true });
      // Opened for writing first, so that a directory without permission says so by its own name.
      closeSync(openSync(path, O_RDWR | O_CREAT, 0o644));
      return takeLock(path, this.#random);
    });
  }
}

/** One entry after the other, so that a folder with many files holds one thread of the pool like a single file does. */
async function removeTree(path: string): Promise<void> {
  try {
    if (!(await lstat(path)).isDirectory()) {
      await unlink(path);
      return;
    }
    for (const name of await readdir(path)) await removeTree(`${path}/${name}`);
    await rmdir(path);
  } catch (error) {
    if (storageError(error, path).code !== 'ENOENT') throw error;
  }
}
