import { StorageError } from '../base/ports.ts';
import { Errors, ProtocolError } from '../protocol/errors.ts';

export function storageError(message: string): ProtocolError {
  return new ProtocolError(Errors.KAFKA_STORAGE_ERROR, message);
}

/** What a failing disk means to a client (KAFKA_STORAGE_ERROR); throws what is not the disk's fault on. */
export function asProtocolError(error: unknown): ProtocolError {
  if (error instanceof ProtocolError) return error;
  if (error instanceof StorageError) return storageError(error.message);
  throw error;
}

/** Whether there was no space on the disk. A write that takes only a part has met its end, too. */
export function isNoSpace(error: unknown): boolean {
  return error instanceof StorageError && error.code === 'ENOSPC';
}

/** Whether the disk may serve the next call: what failed for want of space or of file handles says nothing about it. */
export function isPassing(error: unknown): boolean {
  return error instanceof StorageError && (error.code === 'ENOSPC' || error.code === 'EMFILE');
}

/** Runs `run`; a StorageError comes out as a ProtocolError, after `failed` was told. */
export function guarded<T>(run: () => T, failed?: (error: unknown) => void): T {
  try {
    return run();
  } catch (error) {
    failed?.(error);
    throw asProtocolError(error);
  }
}

/** For `catch` of promises: as `asProtocolError`. */
export function rethrow(error: unknown): never {
  throw asProtocolError(error);
}
