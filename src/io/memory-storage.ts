import { totalmem } from 'node:os';
import { PathTree } from '../base/path-tree.ts';
import { type DirEntry, type OpenMode, type Storage, StorageError, type StoredFile } from '../base/ports.ts';
import { MemoryBudget, MemoryContent, MemoryFile } from './memory-file.ts';

export interface MemoryStorageOptions {
  /** Bytes in all files, in whole pieces of 64 KiB; a write beyond it is ENOSPC. Default: the memory of the machine. */
  readonly maxBytes?: number;
}

/** Files in memory, for brokers without a data directory. What it holds goes back when files are cut or removed. */
export class MemoryStorage implements Storage {
  readonly #tree = new PathTree<MemoryContent>();
  readonly #budget: MemoryBudget;
  readonly #locks = new Set<string>();

  constructor(options: MemoryStorageOptions = {}) {
    this.#budget = new MemoryBudget(options.maxBytes ?? totalmem());
  }

  open(path: string, mode: OpenMode): StoredFile {
    let content = this.#tree.file(path);
    if (content === undefined) {
      if (this.isDirectory(path)) throw new StorageError('EOTHER', path, `${path} is a directory`);
      if (mode === 'read' || mode === 'write') {
        throw new StorageError('ENOENT', path, `no such file or directory: ${path}`);
      }
      content = new MemoryContent(this.#budget);
      this.#tree.addFile(path, content);
    } else if (mode === 'truncate') {
      content.truncate(0);
    }
    return new MemoryFile(path, content, { writable: mode !== 'read' });
  }

  sizeOf(path: string): number | undefined {
    return this.#tree.file(path)?.size;
  }

  modifiedMs(path: string): number | undefined {
    return this.#tree.file(path)?.modifiedMs;
  }

  isDirectory(path: string): boolean {
    return this.#tree.find(path)?.kind === 'dir';
  }

  list(dir: string): readonly DirEntry[] {
    return this.#tree.list(dir);
  }

  makeDir(dir: string): void {
    this.#tree.makeDir(dir);
  }

  rename(from: string, to: string): void {
    this.#tree.rename(from, to)?.unnamed();
  }

  removeNow(path: string): void {
    if (this.isDirectory(path)) throw new StorageError('EOTHER', path, `${path} is a directory`);
    for (const content of this.#tree.remove(path)) content.unnamed();
  }

  async remove(path: string): Promise<void> {
    for (const content of this.#tree.remove(path)) content.unnamed();
  }

  async syncDir(dir: string): Promise<void> {
    this.#tree.list(dir);
  }

  syncNow(_path: string): void {}

  volume(_path: string): { readonly totalBytes: number; readonly usableBytes: number } {
    const { maxBytes, usedBytes } = this.#budget;
    return { totalBytes: maxBytes, usableBytes: Math.max(0, maxBytes - usedBytes) };
  }

  lock(path: string): { release(): void } | undefined {
    if (this.#locks.has(path)) return undefined;
    this.#locks.add(path);
    return { release: () => void this.#locks.delete(path) };
  }
}
