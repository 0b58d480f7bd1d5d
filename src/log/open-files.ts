import type { OpenMode, Storage, StoredFile } from '../base/ports.ts';

/** A file that is opened when it is used and may be closed behind its owner's back while nothing runs on it. */
export interface LazyFile {
  readonly path: string;
  /** Bytes were written, or cut, and are not known to be synced. Until they are it stays open. Set it with each write. */
  isUnsynced: boolean;
  /** The open file; valid until the next call into the same OpenFiles, or longer while pinned. */
  use(): StoredFile;
  /** fdatasync of all that is written. One that failed is never tried again: every later call rejects, too. */
  sync(): Promise<void>;
  /** While pinned (an asynchronous operation runs on it) the file stays open. */
  pin(): void;
  unpin(): void;
  /** Closes it, at once or when the last pin goes; what is not synced is given up. It may be used again. */
  close(): void;
}

/** Of a thread pool of four: more would only keep the syncs that logs ask for themselves waiting. */
const SYNCING_AT_ONCE = 4;

/**
 * Bounds the number of open files. Linux tells of a failed write-back once to each open descriptor of the file, and may
 * have forgotten it by the next `open`: so a file with unsynced bytes is never closed. Beyond the limit that file goes
 * which was used longest ago of those that are synced and not pinned. Where unsynced ones take more than half of the
 * limit, the oldest are synced in the background; where they take all of it, writers wait (`waitsForRoom`), and what can't
 * wait exceeds the limit rather than fail.
 */
export class OpenFiles {
  /** A sync that made room failed: what it covered may be lost. */
  onSyncFailed: (path: string, error: unknown) => void = () => {};
  readonly #storage: Storage;
  readonly #openMax: number;
  // Insertion order is the order of use.
  readonly #synced = new Set<Entry>();
  readonly #unsynced = new Set<Entry>();
  #syncing = 0;
  /** Who waits for the end of all syncs: one stop. */
  readonly #settling: (() => void)[] = [];
  // At most one function per log.
  readonly #waiting = new Set<() => void>();

  constructor(storage: Storage, openMax: number) {
    this.#storage = storage;
    this.#openMax = openMax;
  }

  get openCount(): number {
    return this.#synced.size + this.#unsynced.size;
  }

  /**
   * `mode` is that of the first opening, before which `beforeFirst` runs; a file that was created is opened for writing
   * later on.
   */
  file(path: string, mode: OpenMode, beforeFirst?: () => void): LazyFile {
    return new Entry(this, path, mode, beforeFirst);
  }

  /** Whether a writer of `file` must wait, since no file can be closed. Then `run` is called when one can. */
  waitsForRoom(file: LazyFile, run: () => void): boolean {
    if (this.#hasRoom() || (file as Entry).isOpen) return false;
    this.#syncOldest();
    if (this.#syncing === 0) return false;
    this.#waiting.add(run);
    return true;
  }

  /** Resolves once none of the syncs that make room runs, which logs that are closed do not wait for. */
  async settled(): Promise<void> {
    if (this.#syncing > 0) await new Promise<void>((resolve) => this.#settling.push(resolve));
  }

  /** Only for the entries. */
  touch(entry: Entry): void {
    if (this.openCount <= this.#openMax >> 1) return;
    const set = this.#unsynced.has(entry) ? this.#unsynced : this.#synced;
    set.delete(entry);
    set.add(entry);
  }

  open(entry: Entry, mode: OpenMode): StoredFile {
    if (this.openCount >= this.#openMax) {
      for (const oldest of this.#synced) if (oldest.closeIfIdle()) break;
    }
    const opened = this.#storage.open(entry.path, mode);
    (entry.isUnsynced ? this.#unsynced : this.#synced).add(entry);
    return opened;
  }

  forget(entry: Entry): void {
    this.#synced.delete(entry);
    this.#unsynced.delete(entry);
  }

  becameUnsynced(entry: Entry): void {
    this.#synced.delete(entry);
    this.#unsynced.add(entry);
    if (this.#unsynced.size > this.#openMax >> 1) this.#syncOldest();
  }

  becameSynced(entry: Entry): void {
    if (this.#unsynced.delete(entry)) this.#synced.add(entry);
  }

  #hasRoom(): boolean {
    if (this.openCount < this.#openMax) return true;
    for (const entry of this.#synced) if (!entry.isPinned) return true;
    return false;
  }

  #syncOldest(): void {
    for (const entry of this.#unsynced) {
      if (this.#syncing >= SYNCING_AT_ONCE) return;
      // A pinned one is probably being synced already.
      if (!entry.isPinned && !entry.hasFailed) this.#sync(entry);
    }
  }

  #sync(entry: Entry): void {
    this.#syncing += 1;
    entry
      .sync()
      .catch((error: unknown) => this.onSyncFailed(entry.path, error))
      .then(() => {
        this.#syncing -= 1;
        this.#serveWaiting();
        if (this.#waiting.size > 0 || this.#unsynced.size > this.#openMax >> 1) this.#syncOldest();
        if (this.#syncing > 0) return;
        this.#serveWaiting(true);
        for (const settled of this.#settling.splice(0)) settled();
      });
  }

  #serveWaiting(all = false): void {
    // Who has to wait again is asked the next time, not in this loop.
    for (const run of [...this.#waiting]) {
      if (!all && !this.#hasRoom()) return;
      this.#waiting.delete(run);
      run();
    }
  }
}

class Entry implements LazyFile {
  readonly path: string;
  readonly #files: OpenFiles;
  #mode: OpenMode;
  #beforeFirst: (() => void) | undefined;
  #file: StoredFile | undefined;
  #pins = 0;
  #closing = false;
  #unsynced = false;
  // How often it was written to.
  #writes = 0;
  #failure: unknown;

  constructor(files: OpenFiles, path: string, mode: OpenMode, beforeFirst: (() => void) | undefined) {
    this.#files = files;
    this.path = path;
    this.#mode = mode;
    this.#beforeFirst = beforeFirst;
  }

  get isOpen(): boolean {
    return this.#file !== undefined;
  }

  get isPinned(): boolean {
    return this.#pins > 0;
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  get isUnsynced(): boolean {
    return this.#unsynced;
  }

  set isUnsynced(value: boolean) {
    if (value) this.#writes += 1;
    if (value === this.#unsynced) return;
    this.#unsynced = value;
    if (this.#file === undefined) return;
    if (value) this.#files.becameUnsynced(this);
    else this.#files.becameSynced(this);
  }

  use(): StoredFile {
    this.#closing = false;
    if (this.#file !== undefined) {
      this.#files.touch(this);
      return this.#file;
    }
    this.#beforeFirst?.();
    this.#file = this.#files.open(this, this.#mode);
    if (this.#mode !== 'read') this.#mode = 'write';
    this.#beforeFirst = undefined;
    return this.#file;
  }

  async sync(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.pin();
    const writes = this.#writes;
    try {
      // Unsynced until it is done: whoever else asks meanwhile must wait as well.
      await this.use().sync();
      if (this.#writes === writes) this.isUnsynced = false;
    } catch (error) {
      this.#failure = error;
      throw error;
    } finally {
      this.unpin();
    }
  }

  pin(): void {
    this.#pins += 1;
  }

  unpin(): void {
    this.#pins -= 1;
    if (this.#pins === 0 && this.#closing) this.closeIfIdle();
  }

  close(): void {
    if (!this.closeIfIdle() && this.#file !== undefined) this.#closing = true;
  }

  closeIfIdle(): boolean {
    const file = this.#file;
    if (file === undefined || this.#pins > 0) return false;
    this.#file = undefined;
    this.#closing = false;
    this.#files.forget(this);
    file.close();
    return true;
  }
}
