import type { BackgroundJob, StepEnd } from '../base/ports.ts';
import {
  type FolderToRecover,
  type RecoveredFolder,
  recoverFolder,
  recoveryBuffer,
} from './folder-recovery.ts';
import { beginsInOldFormat } from './old-segments.ts';

/** Progress is told in pieces of at least so many bytes. */
const TOLD_BYTES = 4 * 1024 * 1024;

export interface FoldersToRecover {
  readonly folders: readonly FolderToRecover[];
  /** None of them is looked through for old message formats. */
  readonly areConverted: boolean;
}

/**
 * Recovers folders one after the other, all but those that begin with message format 0 or 1: for them it gives undefined.
 * Tells the bytes read since the last time.
 */
export const recoverLogs: BackgroundJob<FoldersToRecover, readonly (RecoveredFolder | undefined)[], number> =
  {
    name: 'recover-logs',
    *run({ folders, areConverted }, context) {
      const recovered: (RecoveredFolder | undefined)[] = [];
      const buffer = recoveryBuffer();
      let untoldBytes = 0;
      for (const folder of folders) {
        if (!areConverted && beginsInOldFormat(context.storage, folder.dir, folder.files)) {
          recovered.push(undefined);
          continue;
        }
        const one = yield* tellingLess(recoverFolder(folder, context, buffer), untoldBytes);
        recovered.push(one.result);
        untoldBytes = one.untoldBytes;
      }
      if (untoldBytes > 0) yield { progress: untoldBytes };
      return recovered;
    },
  };

type Steps<T> = Generator<StepEnd<number> | undefined, T, void>;

/** Each message to another thread costs some 20 µs, so small steps are told together. */
function* tellingLess<T>(steps: Steps<T>, before: number): Steps<{ result: T; untoldBytes: number }> {
  let untoldBytes = before;
  try {
    for (;;) {
      const step = steps.next();
      if (step.done === true) return { result: step.value, untoldBytes };
      untoldBytes += step.value?.progress ?? 0;
      if (untoldBytes < TOLD_BYTES) {
        yield;
        continue;
      }
      yield { progress: untoldBytes };
      untoldBytes = 0;
    }
  } finally {
    // Where the job is cancelled the folder's files are closed too.
    steps.return(undefined as T);
  }
}
