import { PathTree, type TreeDir } from '../base/path-tree.ts';
import { type DirEntry, type OpenMode, type Storage, StorageError, type StoredFile } from '../base/ports.ts';
import { type FileContent, MemoryBudget, MemoryContent, MemoryFile } from './memory-file.ts';

/** What the files of an overlay are, other than below; paths as they are below, but for `to`. */
export type OverlayChange =
  | { readonly kind: 'removed'; readonly path: string; readonly isDirectory: boolean }
  | { readonly kind: 'renamed'; readonly path: string; readonly to: string; readonly isDirectory: boolean }
  | { readonly kind: 'cut'; readonly path: string; readonly fromBytes: number; readonly toBytes: number }
  | {
      readonly kind: 'written';
      readonly path: string;
      readonly isNew: boolean;
      readonly sizeInBytes: number;
    };

const COPY_BYTES = 64 * 1024;

interface Source {
  readonly path: string;
  readonly sizeInBytes: number;
}

/**
 * A directory as it would be: reads come from the storage below, which is never changed, and changes stay in memory and
 * can be listed. Its names are read at the beginning, so nobody else may change the directory meanwhile. Files outside
 * of it can be read. Writing more than `maxBytes` is ENOSPC.
 */
export class OverlayStorage implements Storage {
  readonly #below: Storage;
  readonly #root: string;
  readonly #tree = new PathTree<OverlayContent>();
  readonly #budget: MemoryBudget;
  /** What is below, and what became of it. */
  readonly #before = new Map<string, { readonly sizeInBytes: number; readonly content: OverlayContent }>();
  /** Of directories, in order. */
  readonly #renames: (readonly [from: string, to: string])[] = [];
  readonly #removedDirs: string[] = [];
  readonly #files = new Set<MemoryFile>();
  readonly #locks = new Set<string>();

  /** `root` without a slash at the end. Throws StorageError. */
  constructor(below: Storage, root: string, maxBytes: number) {
    this.#below = below;
    this.#root = root;
    this.#budget = new MemoryBudget(maxBytes);
    this.#load(root);
  }

  open(path: string, mode: OpenMode): StoredFile {
    if (this.#isOutside(path)) {
      if (mode === 'read') return this.#below.open(path, mode);
      throw new StorageError('EACCES', path, `${path} lies outside of ${this.#root}`);
    }
    let content = this.#tree.file(path);
    if (content === undefined) {
      if (this.isDirectory(path)) throw new StorageError('EOTHER', path, `${path} is a directory`);
      if (mode === 'read' || mode === 'write') {
        throw new StorageError('ENOENT', path, `no such file or directory: ${path}`);
      }
      content = new OverlayContent(this.#below, this.#budget, undefined);
      this.#tree.addFile(path, content);
    } else if (mode === 'truncate') {
      content.startAnew();
    }
    const file = new MemoryFile(path, content, {
      writable: mode !== 'read',
      fullText: `the memory for changes to ${path} is used up`,
      onClose: () => this.#files.delete(file),
    });
    this.#files.add(file);
    return file;
  }

  sizeOf(path: string): number | undefined {
    return this.#isOutside(path) ? this.#below.sizeOf(path) : this.#tree.file(path)?.size;
  }

  modifiedMs(path: string): number | undefined {
    return this.#isOutside(path) ? this.#below.modifiedMs(path) : this.#tree.file(path)?.modifiedMs;
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
    const isDirectory = this.isDirectory(from);
    this.#tree.rename(from, to)?.drop();
    if (isDirectory) this.#renames.push([from, to]);
  }

  removeNow(path: string): void {
    if (this.isDirectory(path)) throw new StorageError('EOTHER', path, `${path} is a directory`);
    for (const content of this.#tree.remove(path)) content.drop();
  }

  async remove(path: string): Promise<void> {
    if (this.isDirectory(path)) this.#removedDirs.push(this.#pathBelow(path));
    for (const content of this.#tree.remove(path)) content.drop();
  }

  async syncDir(dir: string): Promise<void> {
    this.#tree.list(dir);
  }

  syncNow(_path: string): void {}

  volume(): { readonly totalBytes: number; readonly usableBytes: number } {
    return this.#below.volume(this.#root);
  }

  /** Nobody else sees an overlay. */
  lock(path: string): { release(): void } | undefined {
    if (this.#locks.has(path)) return undefined;
    this.#locks.add(path);
    return { release: () => void this.#locks.delete(path) };
  }

  /** Bytes read of a file that is there below, however often. */
  bytesReadOf(path: string): number {
    return this.#before.get(path)?.content.bytesRead ?? 0;
  }

  /** How it differs from what is below, sorted by path. Throws StorageError where that can't be read. */
  changes(): OverlayChange[] {
    const changes: OverlayChange[] = [];
    const kept = new Set<string>();
    this.#eachFile(this.#root, (path, content) => {
      const below = this.#pathBelow(path);
      kept.add(below);
      if (content.source !== undefined && content.source.path !== below) kept.add(content.source.path);
      const change = this.#changeOf(below, content);
      if (change !== undefined) changes.push(change);
    });
    for (const path of this.#before.keys()) {
      const isInRemoved = this.#removedDirs.some((dir) => path.startsWith(`${dir}/`));
      if (!kept.has(path) && !isInRemoved) changes.push({ kind: 'removed', path, isDirectory: false });
    }
    for (const path of this.#removedDirs) changes.push({ kind: 'removed', path, isDirectory: true });
    for (const to of new Set(this.#renames.map(([, name]) => name))) {
      const path = this.#pathBelow(to);
      if (this.isDirectory(to)) changes.push({ kind: 'renamed', path, to, isDirectory: true });
    }
    return changes.sort((one, other) => (one.path < other.path ? -1 : 1));
  }

  /** Closes what is open below. */
  close(): void {
    for (const file of this.#files) file.close();
  }

  #isOutside(path: string): boolean {
    return path !== this.#root && !path.startsWith(`${this.#root}/`);
  }

  #load(dir: string): void {
    this.#tree.makeDir(dir);
    for (const { name, isDirectory } of this.#below.list(dir)) {
      const path = `${dir}/${name}`;
      const sizeInBytes = isDirectory ? undefined : this.#below.sizeOf(path);
      if (isDirectory) this.#load(path);
      if (sizeInBytes === undefined) continue;
      const content = new OverlayContent(this.#below, this.#budget, { path, sizeInBytes });
      this.#tree.addFile(path, content);
      this.#before.set(path, { sizeInBytes, content });
    }
  }

  /** What the path was called before its directories were renamed. */
  #pathBelow(path: string): string {
    return this.#renames.reduceRight(
      (name, [from, to]) => (name === to || name.startsWith(`${to}/`) ? from + name.slice(to.length) : name),
      path,
    );
  }

  #changeOf(path: string, content: OverlayContent): OverlayChange | undefined {
    const { source, size } = content;
    if (source !== undefined && source.path !== path) {
      return { kind: 'renamed', path: source.path, to: path, isDirectory: false };
    }
    const before = this.#before.get(path);
    if (before === undefined) return { kind: 'written', path, isNew: true, sizeInBytes: size };
    const fromBytes = before.sizeInBytes;
    if (content === before.content && content.isOnlyCut) {
      return size === fromBytes ? undefined : { kind: 'cut', path, fromBytes, toBytes: size };
    }
    if (size === fromBytes && this.#isSame(path, content)) return undefined;
    return { kind: 'written', path, isNew: false, sizeInBytes: size };
  }

  #isSame(path: string, content: OverlayContent): boolean {
    const file = this.#below.open(path, 'read');
    const one = Buffer.allocUnsafe(COPY_BYTES);
    const other = Buffer.allocUnsafe(COPY_BYTES);
    try {
      for (let at = 0; at < content.size; at += COPY_BYTES) {
        const count = content.read(one, at);
        if (file.read(other.subarray(0, count), at) !== count) return false;
        if (!one.subarray(0, count).equals(other.subarray(0, count))) return false;
      }
      return true;
    } finally {
      file.close();
      content.closeBelow();
    }
  }

  #eachFile(dir: string, visit: (path: string, content: OverlayContent) => void): void {
    const entry = this.#tree.find(dir);
    if (entry?.kind === 'dir') eachFileIn(dir, entry, visit);
  }
}

function eachFileIn(
  path: string,
  dir: TreeDir<OverlayContent>,
  visit: (path: string, content: OverlayContent) => void,
): void {
  for (const [name, entry] of dir.entries) {
    if (entry.kind === 'dir') eachFileIn(`${path}/${name}`, entry, visit);
    else visit(`${path}/${name}`, entry.file);
  }
}

/** The beginning of a file below, and what was written behind it. */
class OverlayContent implements FileContent {
  /** Undefined where nothing of a file below is left from the beginning on. */
  source: Source | undefined;
  bytesRead = 0;
  readonly #below: Storage;
  readonly #budget: MemoryBudget;
  #kept: number;
  #own: MemoryContent;
  #file: StoredFile | undefined;
  #handles = 0;

  constructor(below: Storage, budget: MemoryBudget, source: Source | undefined) {
    this.#below = below;
    this.#budget = budget;
    this.source = source;
    this.#kept = source?.sizeInBytes ?? 0;
    this.#own = new MemoryContent(budget);
  }

  get size(): number {
    return this.#kept + this.#own.size;
  }

  get isOnlyCut(): boolean {
    return this.#own.size === 0;
  }

  get modifiedMs(): number | undefined {
    const { source } = this;
    const isUntouched = source !== undefined && this.isOnlyCut && this.#kept === source.sizeInBytes;
    return isUntouched ? this.#below.modifiedMs(source.path) : this.#own.modifiedMs;
  }

  read(into: Uint8Array, at: number): number {
    let count = 0;
    if (at < this.#kept && into.length > 0) {
      this.#file ??= this.#below.open(this.source!.path, 'read');
      count = this.#file.read(into.subarray(0, Math.min(into.length, this.#kept - at)), at);
      this.bytesRead += count;
      if (at + count < this.#kept) return count;
    }
    return count + this.#own.read(into.subarray(count), at + count - this.#kept);
  }

  /** As much as there is memory for. */
  write(bytes: Uint8Array, at: number): number {
    if (at < this.#kept && !this.#takeOver(at)) return 0;
    return this.#own.write(bytes, at - this.#kept);
  }

  truncate(size: number): boolean {
    if (size > this.#kept) return this.#own.truncate(size - this.#kept);
    this.#kept = size;
    return this.#own.truncate(0);
  }

  startAnew(): void {
    this.#kept = 0;
    this.#own.truncate(0);
    this.source = undefined;
    this.closeBelow();
  }

  opened(): void {
    this.#handles += 1;
  }

  closed(): void {
    this.#handles -= 1;
    if (this.#handles === 0) this.closeBelow();
  }

  closeBelow(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  /** It has no name any more; whoever has it open goes on. */
  drop(): void {
    if (this.#handles === 0) this.#own.truncate(0);
  }

  /** Copies what is kept from `at` on into memory, where it may be changed. */
  #takeOver(at: number): boolean {
    const own = new MemoryContent(this.#budget);
    const part = Buffer.allocUnsafe(COPY_BYTES);
    for (let from = at; from < this.size; ) {
      const count = this.read(part, from);
      if (own.write(part.subarray(0, count), from - at) < count || count === 0) {
        own.truncate(0);
        return false;
      }
      from += count;
    }
    this.#own.truncate(0);
    this.#own = own;
    this.#kept = at;
    return true;
  }
}
