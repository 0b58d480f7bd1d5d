import type { OpenMode, Storage, StoredFile } from '../base/ports.ts';

/** A file that is opened when it is used and may be closed behind its owner's back while nothing runs on it. */
export interface LazyFile {
  readonly path: string;
  /** The open file; valid until the next call into the same OpenFiles, or longer while pinned. */
  use(): StoredFile;
  /** While pinned (an asynchronous operation runs on it) the file stays open. */
  pin(): void;
  unpin(): void;
  /** Closes it, at once or when the last pin goes. It may be used again. */
  close(): void;
  /** Closes it and goes on under another path. */
  moved(path: string): void;
}

/**
 * Bounds the number of open files: beyond the limit the least recently used one that is not pinned is closed. With
 * everything pinned the limit is exceeded rather than work refused.
 */
export class OpenFiles {
  readonly #storage: Storage;
  readonly #openMax: number;
  // Insertion order is the order of use.
  readonly #open = new Set<Entry>();

  constructor(storage: Storage, openMax: number) {
    this.#storage = storage;
    this.#openMax = openMax;
  }

  get openCount(): number {
    return this.#open.size;
  }

  /**
   * `mode` is that of the first opening, before which `beforeFirst` runs; a file that was created is opened for writing
   * later on.
   */
  file(path: string, mode: OpenMode, beforeFirst?: () => void): LazyFile {
    return new Entry(this, path, mode, beforeFirst);
  }

  /** Only for the entries. */
  touch(entry: Entry, file: StoredFile | undefined, path: string, mode: OpenMode): StoredFile {
    if (file !== undefined) {
      if (this.#open.size > this.#openMax >> 1) {
        this.#open.delete(entry);
        this.#open.add(entry);
      }
      return file;
    }
    if (this.#open.size >= this.#openMax) this.#closeOldest();
    const opened = this.#storage.open(path, mode);
    this.#open.add(entry);
    return opened;
  }

  forget(entry: Entry): void {
    this.#open.delete(entry);
  }

  #closeOldest(): void {
    for (const entry of this.#open) {
      if (entry.closeIfIdle()) return;
    }
  }
}

class Entry implements LazyFile {
  path: string;
  readonly #files: OpenFiles;
  #mode: OpenMode;
  #beforeFirst: (() => void) | undefined;
  #file: StoredFile | undefined;
  #pins = 0;
  #closing = false;

  constructor(files: OpenFiles, path: string, mode: OpenMode, beforeFirst: (() => void) | undefined) {
    this.#files = files;
    this.path = path;
    this.#mode = mode;
    this.#beforeFirst = beforeFirst;
  }

  use(): StoredFile {
    this.#beforeFirst?.();
    const file = this.#files.touch(this, this.#file, this.path, this.#mode);
    if (this.#file === undefined) {
      this.#file = file;
      if (this.#mode !== 'read') this.#mode = 'write';
      this.#beforeFirst = undefined;
    }
    this.#closing = false;
    return file;
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

  moved(path: string): void {
    this.close();
    this.path = path;
  }
}
