import { type NameChange, newDir, PathTree, type TreeDir, type TreeEntry } from '../../src/base/path-tree.ts';
import {
  type DirEntry,
  type OpenMode,
  type Storage,
  StorageError,
  type StorageErrorCode,
  type StoredFile,
} from '../../src/base/ports.ts';
import { type CrashMode, FileContent } from './disk-file.ts';
import { EPOCH_MS, type EventLoop } from './event-loop.ts';
import type { SeededRandom } from './random.ts';
import { Kind, type Trace } from './trace.ts';

export type DiskOperation =
  | 'open'
  | 'read'
  | 'write'
  | 'sync'
  | 'truncate'
  | 'rename'
  | 'remove'
  | 'makeDir'
  | 'syncDir';

/** What a disk does wrong, and how slow it is. May be changed at any time. */
export interface DiskFaults {
  /** Probability that a write takes only a part. */
  writeShort: number;
  /** Probability that a write fails; half of them have written a part. */
  writeFails: number;
  /** Only writes to such paths come short or fail. */
  writePaths: RegExp;
  readFails: number;
  /** Probability that fdatasync fails; what it should have brought never reaches the disk. */
  syncFails: number;
  failureCode: StorageErrorCode;
  /** Least and most µs of what goes off the loop. */
  syncUs: readonly [number, number];
  readUs: readonly [number, number];
  removeUs: readonly [number, number];
}

const everyPath = /(?:)/;

/** A disk that does what it should. */
export function noFaults(): DiskFaults {
  return {
    writeShort: 0,
    writeFails: 0,
    writePaths: everyPath,
    readFails: 0,
    syncFails: 0,
    failureCode: 'EIO',
    syncUs: [80, 3000],
    readUs: [20, 500],
    removeUs: [50, 2000],
  };
}

interface Planned {
  readonly operation: DiskOperation;
  readonly code: StorageErrorCode;
  readonly path: RegExp;
}

/** A process that uses the disk; once it is not alive nothing it does or waits for happens any more. */
export interface DiskUser {
  readonly alive: boolean;
}

const DEFAULT_CAPACITY_BYTES = 1024 * 1024 * 1024;
/**
 * The disk of one machine. Readers see every write at once; a power loss leaves only what was synced, and of the rest
 * whatever {@link CrashMode} leaves. A name (created, renamed, removed) is safe after `syncDir` of its directory;
 * otherwise a power loss keeps the name changes up to a random one, in their order.
 */
export class SimDisk {
  faults: DiskFaults = noFaults();
  capacityBytes = DEFAULT_CAPACITY_BYTES;
  /** Nothing at or below this path can be opened, read or changed. */
  deadDir: string | undefined;
  /** Canary: `sync` answers without doing anything. */
  ignoresSync = false;
  /** Canary: `sync` answers first and does its work later. */
  answersSyncEarly = false;
  /** Operations so far. */
  readonly counts: Record<DiskOperation, number> = {
    open: 0,
    read: 0,
    write: 0,
    sync: 0,
    truncate: 0,
    rename: 0,
    remove: 0,
    makeDir: 0,
    syncDir: 0,
  };
  readonly name: string;
  readonly loop: EventLoop;
  readonly random: SeededRandom;
  readonly trace: Trace;
  readonly tree: PathTree<FileContent>;
  readonly #root: TreeDir<FileContent> = newDir();
  /** What each directory holds on the disk. */
  readonly #durable = new WeakMap<TreeDir<FileContent>, Map<string, TreeEntry<FileContent>>>();
  #journal: (readonly NameChange<FileContent>[])[] = [];
  #planned: Planned[] = [];
  #failIn: { operations: number; kinds: ReadonlySet<DiskOperation>; code: StorageErrorCode } | undefined;
  /** What {@link failAt} made fail. */
  failedAt: string | undefined;
  /** How many syncs failed: what they covered is read as if it were written. */
  failedSyncs = 0;
  /** How many operations failed, or came short. */
  troubles = 0;
  #crashIn: { operations: number; crash: () => void } | undefined;
  readonly #locks = new Map<string, DiskUser>();
  #usedBytes = 0;

  constructor(name: string, loop: EventLoop, random: SeededRandom, trace: Trace) {
    this.name = name;
    this.loop = loop;
    this.random = random;
    this.trace = trace;
    this.tree = new PathTree(this.#root, (changes) => void this.#journal.push(changes));
  }

  /** What files that are written now are stamped with. */
  get nowMs(): number {
    return EPOCH_MS + Math.floor(this.loop.nowUs / 1000);
  }

  /** Storage for one run of a process. */
  storageFor(user: DiskUser): Storage {
    return new SimStorage(this, user);
  }

  /** The next such operation on a path like this fails. */
  failNext(operation: DiskOperation, code: StorageErrorCode, path: RegExp = everyPath): void {
    this.#planned.push({ operation, code, path });
  }

  /** Nothing that was planned happens any more. */
  allWell(): void {
    this.#planned = [];
    this.#failIn = undefined;
    this.#crashIn = undefined;
  }

  /** The n-th operation of these kinds from now (0: the next) fails, and no other. */
  failAt(operations: number, kinds: ReadonlySet<DiskOperation>, code: StorageErrorCode): void {
    this.#failIn = { operations, kinds, code };
    this.failedAt = undefined;
  }

  /** Instead of the n-th changing operation from now (0: the next) `crash` runs, and that operation fails. */
  crashInstead(operations: number, crash: () => void): void {
    this.#crashIn = { operations, crash };
  }

  /** What the power loss leaves becomes what readers see. Files that are open lose their meaning. */
  powerLoss(mode: CrashMode): void {
    const kept = mode === 'forget' ? 0 : this.random.below(this.#journal.length + 1);
    for (const changes of this.#journal.splice(0, kept)) this.#makeDurable(changes);
    this.#journal = [];
    this.#locks.clear();
    this.#crashIn = undefined;
    const restore = (dir: TreeDir<FileContent>) => {
      dir.entries.clear();
      for (const [name, entry] of this.#durable.get(dir) ?? []) {
        dir.entries.set(name, entry);
        if (entry.kind === 'dir') restore(entry);
        else entry.file.powerLoss(this.random, mode);
      }
    };
    restore(this.#root);
    this.#usedBytes = this.#measure(this.#root);
  }

  /** A process ended: its locks go, what it wrote stays. */
  released(user: DiskUser): void {
    for (const [path, holder] of this.#locks) if (holder === user) this.#locks.delete(path);
  }

  /** All there is, for tests that look behind the node's back: path to size. */
  files(): ReadonlyMap<string, number> {
    const found = new Map<string, number>();
    const walk = (dir: TreeDir<FileContent>, path: string) => {
      for (const { name } of this.tree.list(path === '' ? '/' : path)) {
        const entry = dir.entries.get(name);
        if (entry?.kind === 'dir') walk(entry, `${path}/${name}`);
        else if (entry !== undefined) found.set(`${path}/${name}`, entry.file.size);
      }
    };
    walk(this.#root, '');
    return found;
  }

  /** Before each operation: counts it, hashes it, and throws where it shall fail. */
  begin(user: DiskUser, operation: DiskOperation, path: string): void {
    if (!user.alive) throw new StorageError('EIO', path, `${this.name}: this process is dead`);
    this.counts[operation]++;
    if (this.#crashIn !== undefined && operation !== 'read') {
      if (this.#crashIn.operations-- === 0) {
        const { crash } = this.#crashIn;
        this.#crashIn = undefined;
        crash();
        throw new StorageError('EIO', path, `${this.name}: this process is dead`);
      }
    }
    const { deadDir } = this;
    if (deadDir !== undefined && (path === deadDir || path.startsWith(`${deadDir}/`)))
      throw this.failure('EIO', path, operation);
    const failIn = this.#failIn;
    if (failIn?.kinds.has(operation) && failIn.operations-- === 0) {
      this.#failIn = undefined;
      this.failedAt = `${operation} ${path} ${failIn.code}`;
      throw this.failure(failIn.code, path, operation);
    }
    const planned = this.#planned.findIndex((plan) => plan.operation === operation && plan.path.test(path));
    if (planned >= 0) throw this.failure(this.#planned.splice(planned, 1)[0]?.code ?? 'EIO', path, operation);
  }

  failure(code: StorageErrorCode, path: string, operation: DiskOperation): StorageError {
    this.trace.event(Kind.fault, `${this.name}:${path} ${operation} ${code}`);
    this.troubles++;
    if (operation === 'sync') this.failedSyncs++;
    return new StorageError(code, path, `${code}: ${operation} ${path}`);
  }

  /** Bytes of `wanted` that still fit. */
  room(wanted: number): number {
    return Math.min(wanted, Math.max(0, this.capacityBytes - this.#usedBytes));
  }

  grew(bytes: number): void {
    this.#usedBytes += bytes;
  }

  usableBytes(): number {
    return this.room(this.capacityBytes);
  }

  between([least, most]: readonly [number, number]): number {
    return this.random.between(least, most);
  }

  /** The changes of names in a directory so far; they become durable by {@link settleNames}. */
  namesIn(dir: TreeDir<FileContent>): ReadonlySet<readonly NameChange<FileContent>[]> {
    return new Set(this.#journal.filter((changes) => changes.some((change) => change.dir === dir)));
  }

  settleNames(settled: ReadonlySet<readonly NameChange<FileContent>[]>): void {
    this.#journal = this.#journal.filter((changes) => {
      if (settled.has(changes)) this.#makeDurable(changes);
      return !settled.has(changes);
    });
  }

  lock(path: string, user: DiskUser): { release(): void } | undefined {
    if (this.#locks.has(path)) return undefined;
    this.#locks.set(path, user);
    const release = () => {
      if (this.#locks.get(path) === user) this.#locks.delete(path);
    };
    return { release };
  }

  #makeDurable(changes: readonly NameChange<FileContent>[]): void {
    for (const { dir, name, entry } of changes) {
      let names = this.#durable.get(dir);
      if (names === undefined) {
        names = new Map();
        this.#durable.set(dir, names);
      }
      if (entry === undefined) names.delete(name);
      else names.set(name, entry);
    }
  }

  #measure(dir: TreeDir<FileContent>): number {
    let bytes = 0;
    for (const entry of dir.entries.values()) {
      bytes += entry.kind === 'dir' ? this.#measure(entry) : entry.file.size;
    }
    return bytes;
  }
}

class SimStorage implements Storage {
  readonly #disk: SimDisk;
  readonly #user: DiskUser;

  constructor(disk: SimDisk, user: DiskUser) {
    this.#disk = disk;
    this.#user = user;
  }

  open(path: string, mode: OpenMode): StoredFile {
    this.#begin('open', path);
    const { tree } = this.#disk;
    const entry = tree.find(path);
    if (entry?.kind === 'dir') throw new StorageError('EOTHER', path, `${path} is a directory`);
    let content = entry?.file;
    if (content === undefined) {
      if (mode === 'read' || mode === 'write')
        throw new StorageError('ENOENT', path, `no such file: ${path}`);
      content = new FileContent();
      content.modifiedMs = this.#disk.nowMs;
      tree.addFile(path, content);
    } else if (mode === 'truncate') {
      this.#disk.grew(-content.size);
      content.truncate(0);
    }
    return new SimFile(path, content, mode !== 'read', this.#disk, this.#user);
  }

  sizeOf(path: string): number | undefined {
    return this.#disk.tree.file(path)?.size;
  }

  modifiedMs(path: string): number | undefined {
    return this.#disk.tree.file(path)?.modifiedMs;
  }

  isDirectory(path: string): boolean {
    return this.#disk.tree.find(path)?.kind === 'dir';
  }

  list(dir: string): readonly DirEntry[] {
    return this.#disk.tree.list(dir);
  }

  makeDir(dir: string): void {
    this.#begin('makeDir', dir);
    this.#disk.tree.makeDir(dir);
  }

  rename(from: string, to: string): void {
    this.#begin('rename', from);
    this.#disk.trace.event(Kind.names, `${this.#disk.name}:${from}>${to}`);
    this.#gone(this.#disk.tree.rename(from, to));
  }

  removeNow(path: string): void {
    this.#begin('remove', path);
    if (this.isDirectory(path)) throw new StorageError('EOTHER', path, `${path} is a directory`);
    for (const content of this.#disk.tree.remove(path)) this.#gone(content);
  }

  remove(path: string): Promise<void> {
    return this.#later('remove', path, this.#disk.faults.removeUs, () => {
      for (const content of this.#disk.tree.remove(path)) this.#gone(content);
    });
  }

  syncDir(dir: string): Promise<void> {
    const entry = this.#disk.tree.find(dir);
    const names = entry?.kind === 'dir' ? this.#disk.namesIn(entry) : undefined;
    return this.#later('syncDir', dir, this.#disk.faults.syncUs, () => {
      if (names === undefined) throw new StorageError('ENOENT', dir, `no such directory: ${dir}`);
      if (!this.#disk.ignoresSync) this.#disk.settleNames(names);
    });
  }

  syncNow(path: string): void {
    this.#begin('sync', path);
    const entry = this.#disk.tree.find(path);
    if (entry === undefined) throw new StorageError('ENOENT', path, `no such file: ${path}`);
    if (this.#disk.ignoresSync) return;
    if (entry.kind === 'dir') this.#disk.settleNames(this.#disk.namesIn(entry));
    else entry.file.settle(entry.file.mark(), true);
  }

  volume(_path: string): { readonly totalBytes: number; readonly usableBytes: number } {
    return { totalBytes: this.#disk.capacityBytes, usableBytes: this.#disk.usableBytes() };
  }

  lock(path: string): { release(): void } | undefined {
    this.#begin('open', path);
    return this.#disk.lock(path, this.#user);
  }

  #begin(operation: DiskOperation, path: string): void {
    this.#disk.begin(this.#user, operation, path);
    this.#disk.trace.event(Kind.open, `${this.#disk.name}:${operation} ${path}`);
  }

  #gone(content: FileContent | undefined): void {
    if (content !== undefined) this.#disk.grew(-content.size);
  }

  #later(
    operation: DiskOperation,
    path: string,
    us: readonly [number, number],
    run: () => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      try {
        this.#begin(operation, path);
      } catch (error) {
        const { loop } = this.#disk;
        loop.after(this.#disk.between(us), () => this.#user.alive && reject(error));
        return;
      }
      this.#disk.loop.after(this.#disk.between(us), () => {
        if (!this.#user.alive) return;
        this.#disk.trace.event(Kind.syncDir, `${this.#disk.name}:${operation} done ${path}`);
        try {
          run();
          resolve();
        } catch (error) {
          reject(error);
        }
      });
    });
  }
}

class SimFile implements StoredFile {
  readonly path: string;
  readonly #content: FileContent;
  readonly #writable: boolean;
  readonly #disk: SimDisk;
  readonly #user: DiskUser;
  #closed = false;

  constructor(path: string, content: FileContent, writable: boolean, disk: SimDisk, user: DiskUser) {
    this.path = path;
    this.#content = content;
    this.#writable = writable;
    this.#disk = disk;
    this.#user = user;
  }

  size(): number {
    this.#assertOpen();
    return this.#content.size;
  }

  read(into: Uint8Array, at: number): number {
    this.#assertOpen();
    return this.#readNow(into, at);
  }

  readLater(into: Uint8Array, at: number): Promise<number> {
    return this.#later(this.#disk.faults.readUs, () => this.#readNow(into, at));
  }

  /** The file may have been closed while a read off the loop waited: it still gets its bytes. */
  #readNow(into: Uint8Array, at: number): number {
    this.#disk.begin(this.#user, 'read', this.path);
    if (this.#disk.random.chance(this.#disk.faults.readFails)) throw this.#failure('read');
    const count = this.#content.read(into, at);
    this.#disk.trace.event(Kind.read, this.#who(), at, into.subarray(0, count));
    return count;
  }

  write(chunks: readonly Uint8Array[], at: number): number {
    this.#assertWritable();
    this.#disk.begin(this.#user, 'write', this.path);
    const { random, faults } = this.#disk;
    const wanted = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const mayFail = faults.writePaths.test(this.path);
    const fails = mayFail && random.chance(faults.writeFails);
    let count = wanted;
    if (fails) count = random.chance(0.5) ? 0 : random.below(wanted + 1);
    else if (mayFail && wanted > 1 && random.chance(faults.writeShort)) count = random.between(1, wanted - 1);
    const growth = Math.max(0, at + count - this.#content.size);
    const full = this.#disk.room(growth) < growth;
    if (full) count = Math.max(0, count - (growth - this.#disk.room(growth)));
    this.#put(chunks, at, count);
    if (count < wanted) this.#disk.troubles++;
    if (fails) throw this.#failure('write');
    if (full && count === 0 && wanted > 0) throw this.#disk.failure('ENOSPC', this.path, 'write');
    return count;
  }

  sync(): Promise<void> {
    const mark = this.#content.mark();
    const synced = this.#syncLater(mark);
    return this.#disk.answersSyncEarly ? Promise.resolve() : synced;
  }

  #syncLater(mark: number): Promise<void> {
    return this.#later(this.#disk.faults.syncUs, () => {
      let durable = false;
      try {
        this.#disk.begin(this.#user, 'sync', this.path);
        if (this.#disk.random.chance(this.#disk.faults.syncFails)) throw this.#failure('sync');
        durable = true;
      } finally {
        // What failed is lost for the disk: the kernel takes the pages for written though they are not.
        if (this.#user.alive && !this.#disk.ignoresSync) this.#content.settle(mark, durable);
        this.#disk.trace.event(Kind.sync, this.#who(), mark);
      }
    });
  }

  truncate(size: number): void {
    this.#assertWritable();
    this.#disk.begin(this.#user, 'truncate', this.path);
    this.#disk.trace.event(Kind.truncate, this.#who(), size);
    this.#disk.grew(size - this.#content.size);
    this.#content.truncate(size);
    this.#content.modifiedMs = this.#disk.nowMs;
  }

  close(): void {
    this.#closed = true;
  }

  #put(chunks: readonly Uint8Array[], at: number, count: number): void {
    const before = this.#content.size;
    const joined = chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks);
    const written = joined.subarray(0, count);
    this.#disk.trace.event(Kind.write, this.#who(), at, written);
    this.#content.write(written, at);
    this.#content.modifiedMs = this.#disk.nowMs;
    this.#disk.grew(this.#content.size - before);
  }

  #later<T>(us: readonly [number, number], run: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const refused = this.#closed ? this.#closedError() : undefined;
      this.#disk.loop.after(this.#disk.between(us), () => {
        if (!this.#user.alive) return;
        try {
          if (refused !== undefined) throw refused;
          resolve(run());
        } catch (error) {
          if (this.#user.alive) reject(error);
        }
      });
    });
  }

  #who(): string {
    return `${this.#disk.name}:${this.path}`;
  }

  #failure(operation: DiskOperation): StorageError {
    return this.#disk.failure(this.#disk.faults.failureCode, this.path, operation);
  }

  #assertOpen(): void {
    if (this.#closed) throw this.#closedError();
  }

  #assertWritable(): void {
    this.#assertOpen();
    if (!this.#writable) throw new StorageError('EACCES', this.path, `${this.path} is open for reading`);
  }

  #closedError(): StorageError {
    return new StorageError('EOTHER', this.path, `${this.path} is closed`);
  }
}
