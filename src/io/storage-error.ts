import { StorageError, type StorageErrorCode } from '../base/ports.ts';

const codes: Readonly<Record<string, StorageErrorCode>> = {
  ENOENT: 'ENOENT',
  ENOTDIR: 'ENOENT',
  EEXIST: 'EEXIST',
  ENOTEMPTY: 'EEXIST',
  ENOSPC: 'ENOSPC',
  EDQUOT: 'ENOSPC',
  EIO: 'EIO',
  EACCES: 'EACCES',
  EPERM: 'EACCES',
  EROFS: 'EACCES',
  EMFILE: 'EMFILE',
  ENFILE: 'EMFILE',
};

/** The error of Node as the port's own. */
export function storageError(cause: unknown, path: string): StorageError {
  const code: unknown = cause instanceof Error ? Reflect.get(cause, 'code') : undefined;
  const message = cause instanceof Error ? cause.message : String(cause);
  const text = message.includes(path) ? message : `${message}: ${path}`;
  return new StorageError((typeof code === 'string' ? codes[code] : undefined) ?? 'EOTHER', path, text, {
    cause,
  });
}

/** Runs `operation`, its error as the port's own. */
export function mapped<T>(path: string, operation: () => T): T {
  try {
    return operation();
  } catch (error) {
    throw storageError(error, path);
  }
}
