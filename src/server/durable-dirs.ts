import type { Storage } from '../base/ports.ts';

function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  if (slash < 0) return '.';
  return slash === 0 ? '/' : path.slice(0, slash);
}

/** Makes a directory and its parents so that they survive a power loss: each new name is synced in its parent. */
export async function makeDirDurably(storage: Storage, dir: string): Promise<void> {
  const made: string[] = [];
  for (let at = dir; at !== '.' && at !== '/' && !storage.isDirectory(at); at = parentOf(at)) made.push(at);
  if (made.length === 0) return;
  storage.makeDir(dir);
  for (const path of made.reverse()) {
    const parent = parentOf(path);
    if (storage.isDirectory(parent)) await storage.syncDir(parent);
  }
}
