import type { BackgroundJob, StepEnd } from '../base/ports.ts';
import {
  type FolderToRecover,
  type RecoveredFolder,
  recoverFolder,
  recoveryBuffer,
} from './folder-recovery.ts';

/** Progress is told in pieces of at least so many bytes. */
const TOLD_BYTES = 4 * 1024 * 1024;

/** Recovers folders one after the other. Tells the bytes read since the last time. */
export const recoverLogs: BackgroundJob<readonly FolderToRecover[], readonly RecoveredFolder[], number> = {
  name: 'recover-logs',
  *run(folders, context) {
    const recovered: RecoveredFolder[] = [];
    const buffer = recoveryBuffer();
    let untoldBytes = 0;
    for (const folder of folders) {
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
