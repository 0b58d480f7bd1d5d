import { constants, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { JobSteps } from '../base/inline-background.ts';
import { type BackgroundContext, type BackgroundJob, CancelledError, StorageError } from '../base/ports.ts';
import { CANCELLED, type FromWorker, type PlainError, type ToWorker } from './background-messages.ts';
import { SystemClock } from './clock.ts';
import { DiskStorage } from './files.ts';
import { SystemRandom } from './random.ts';

/** Makes this thread run the jobs that `WorkerBackground` sends it, one at a time. To be called in a worker thread. */
export function serveBackground(jobs: readonly BackgroundJob<unknown, unknown, unknown>[]): void {
  const port = parentPort;
  if (port === null) throw new Error('serveBackground runs in a worker thread');
  const send = (message: FromWorker) => port.postMessage(message);
  const context = { storage: new DiskStorage(new SystemRandom()), clock: new SystemClock() };
  port.on('message', (message: ToWorker) => {
    const job = jobs.find(({ name }) => name === message.job);
    runJob(job, message, context, send).then(
      (result) => send({ kind: 'result', result }),
      (error: unknown) => send({ kind: 'error', error: plain(error) }),
    );
  });
  send({ kind: 'ready' });
}

/** Linux has a priority for each thread, and 0 is the one that calls. It stays low: only root could raise it again. */
function yieldToOthers(): void {
  if (process.platform === 'linux') setPriority(0, constants.priority.PRIORITY_BELOW_NORMAL);
}

async function runJob(
  job: BackgroundJob<unknown, unknown, unknown> | undefined,
  { job: name, input, signal }: ToWorker,
  context: BackgroundContext,
  send: (message: FromWorker) => void,
): Promise<unknown> {
  if (job === undefined) throw new Error(`no job ${name} in the list of this worker`);
  if (job.isPatient) yieldToOthers();
  await job.prepare?.();
  const steps = new JobSteps(job, input, context, (progress) => send({ kind: 'progress', progress }));
  while (steps.ended === undefined) {
    if (Atomics.load(signal, 0) === CANCELLED) steps.cancel();
    const waitMs = steps.next();
    // Nothing else runs in this thread, so it may sleep; a cancellation wakes it.
    if (waitMs > 0) Atomics.wait(signal, 0, 0, waitMs);
  }
  return steps.ended.result;
}

function plain(error: unknown): PlainError {
  if (error instanceof CancelledError) return { kind: 'cancelled' };
  if (error instanceof StorageError) {
    return { kind: 'storage', code: error.code, path: error.path, message: error.message };
  }
  const cause = error instanceof Error ? error : new Error(String(error));
  return { kind: 'other', message: cause.message, stack: cause.stack };
}
