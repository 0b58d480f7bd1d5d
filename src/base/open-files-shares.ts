/** How a process shares out the files and sockets that it may have open. */
export interface OpenFilesShares {
  /** Connections that are accepted. */
  readonly connections: number;
  /** Files of partitions that stay open; the rest is for what is open for a moment, and for the process itself. */
  readonly logFiles: number;
}

const KEPT_MIN = 1024;
const LOG_FILES_MAX = 16 * 1024;
/** Where the system does not tell. */
const LOG_FILES_UNKNOWN = 512;

/**
 * A quarter of `limit` (the hard limit, `ulimit -Hn`), or 1,024 if that is more, is kept from connections, but never more
 * than half. Half of what is kept, at most 16,384, goes to partitions: 256 files of 1,024, 2,500 of 20,000.
 */
export function shareOpenFiles(limit: number | undefined): OpenFilesShares {
  if (limit === undefined) return { connections: Number.POSITIVE_INFINITY, logFiles: LOG_FILES_UNKNOWN };
  const kept = Math.min(Math.floor(limit / 2), Math.max(KEPT_MIN, Math.floor(limit / 4)));
  const logFiles = Math.max(1, Math.min(LOG_FILES_MAX, kept >> 1));
  return { connections: limit - kept, logFiles };
}
