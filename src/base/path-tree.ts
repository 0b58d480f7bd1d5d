import { type DirEntry, StorageError } from './ports.ts';

/**
 * Names of files and directories in memory, for storages that have no disk behind them. Paths are taken apart at
 * slashes; `.` and empty parts are skipped.
 */
export interface TreeDir<F> {
  readonly kind: 'dir';
  readonly entries: Map<string, TreeDir<F> | TreeFile<F>>;
}

export interface TreeFile<F> {
  readonly kind: 'file';
  readonly file: F;
}

export type TreeEntry<F> = TreeDir<F> | TreeFile<F>;

/** What happened to a name, for a storage that has to know which names survive a crash. */
export interface NameChange<F> {
  readonly dir: TreeDir<F>;
  readonly name: string;
  /** Undefined: the name is gone. */
  readonly entry: TreeEntry<F> | undefined;
}

/** Told of each change; one call holds what happens at once (a rename is two changes). */
export type OnNames<F> = (changes: readonly NameChange<F>[]) => void;

export function newDir<F>(): TreeDir<F> {
  return { kind: 'dir', entries: new Map() };
}

export class PathTree<F> {
  readonly #root: TreeDir<F>;
  readonly #onNames: OnNames<F>;

  constructor(root: TreeDir<F> = newDir(), onNames: OnNames<F> = () => {}) {
    this.#root = root;
    this.#onNames = onNames;
  }

  find(path: string): TreeEntry<F> | undefined {
    let entry: TreeEntry<F> | undefined = this.#root;
    for (const part of parts(path)) {
      if (entry?.kind !== 'dir') return undefined;
      entry = entry.entries.get(part);
    }
    return entry;
  }

  file(path: string): F | undefined {
    const entry = this.find(path);
    return entry?.kind === 'file' ? entry.file : undefined;
  }

  /** Gives a new file its name; ENOENT where its directory is missing. */
  addFile(path: string, file: F): void {
    const { dir, name } = this.#parent(path);
    if (dir.entries.has(name)) throw new StorageError('EEXIST', path, `${path} exists`);
    this.#set([{ dir, name, entry: { kind: 'file', file } }]);
  }

  makeDir(path: string): void {
    let dir = this.#root;
    for (const part of parts(path)) {
      let next = dir.entries.get(part);
      if (next === undefined) {
        next = newDir();
        this.#set([{ dir, name: part, entry: next }]);
      }
      if (next.kind !== 'dir') throw new StorageError('EEXIST', path, `${path}: ${part} is a file`);
      dir = next;
    }
  }

  list(path: string): readonly DirEntry[] {
    const dir = this.find(path);
    if (dir?.kind !== 'dir') throw missing(path);
    return [...dir.entries]
      .map(([name, entry]) => ({ name, isDirectory: entry.kind === 'dir' }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** As rename(2): a file replaces a file, a directory only an empty one. Returns the file that lost its name. */
  rename(from: string, to: string): F | undefined {
    const entry = this.find(from);
    if (entry === undefined) throw missing(from);
    const source = this.#parent(from);
    const target = this.#parent(to);
    const old = target.dir.entries.get(target.name);
    if (old === entry) return undefined;
    if (old !== undefined && (old.kind !== entry.kind || (old.kind === 'dir' && old.entries.size > 0))) {
      throw new StorageError('EEXIST', to, `${to} exists and can't be replaced by ${from}`);
    }
    this.#set([
      { ...source, entry: undefined },
      { ...target, entry },
    ]);
    return old?.kind === 'file' ? old.file : undefined;
  }

  /** Removes a name with all that is below it, the deepest first; returns the files. */
  remove(path: string): readonly F[] {
    const entry = this.find(path);
    if (entry === undefined) return [];
    const removed: F[] = [];
    const removeEntry = (dir: TreeDir<F>, name: string, gone: TreeEntry<F>) => {
      if (gone.kind === 'file') removed.push(gone.file);
      else for (const [inner, below] of [...gone.entries]) removeEntry(gone, inner, below);
      this.#set([{ dir, name, entry: undefined }]);
    };
    const { dir, name } = this.#parent(path);
    removeEntry(dir, name, entry);
    return removed;
  }

  #parent(path: string): { dir: TreeDir<F>; name: string } {
    const all = parts(path);
    const name = all.pop();
    if (name === undefined) throw new StorageError('EOTHER', path, 'the root can not be changed');
    let dir: TreeEntry<F> | undefined = this.#root;
    for (const part of all) dir = dir?.kind === 'dir' ? dir.entries.get(part) : undefined;
    if (dir?.kind !== 'dir') throw missing(path);
    return { dir, name };
  }

  #set(changes: readonly NameChange<F>[]): void {
    for (const { dir, name, entry } of changes) {
      if (entry === undefined) dir.entries.delete(name);
      else dir.entries.set(name, entry);
    }
    this.#onNames(changes);
  }
}

function parts(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

function missing(path: string): StorageError {
  return new StorageError('ENOENT', path, `no such file or directory: ${path}`);
}
