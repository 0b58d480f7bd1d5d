import { readFileSync } from 'node:fs';

/** Files and sockets that this process may have open; undefined where the system does not tell, or sets no limit. */
export function openFilesMax(): number | undefined {
  try {
    const [, limit] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
    return limit === undefined ? undefined : Number(limit);
  } catch {
    // No such file: not Linux.
    return undefined;
  }
}
