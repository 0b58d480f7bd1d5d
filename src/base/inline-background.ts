import {
  type Background,
  type BackgroundContext,
  type BackgroundJob,
  type BackgroundRun,
  CancelledError,
  type StepEnd,
  type Timer,
  type Timers,
  type Turn,
} from './ports.ts';

export interface InlineBackgroundOptions extends BackgroundContext {
  readonly turn: Turn;
  readonly timers: Timers;
  /** Steps follow each other for so long before the loop gets its turn. Default: 2; 0: one step per turn. */
  readonly sliceMs?: number;
}

/** Background jobs in slices on the loop: where there is no other thread, or no file that another thread could see. */
export class InlineBackground implements Background {
  readonly #options: InlineBackgroundOptions;

  constructor(options: InlineBackgroundOptions) {
    this.#options = options;
  }

  run<In, Out, Progress>(
    job: BackgroundJob<In, Out, Progress>,
    input: In,
    onProgress?: (progress: Progress) => void,
  ): BackgroundRun<Out> {
    const { storage, clock, turn, timers, sliceMs = 2 } = this.#options;
    let isCancelled = false;
    let waking: { readonly timer: Timer; readonly slice: () => void } | undefined;
    const done = new Promise<Out>((resolve, reject) => {
      const begin = () => {
        const steps = new JobSteps(job, input, { storage, clock }, onProgress);
        const slice = () => {
          waking = undefined;
          try {
            const untilMs = clock.monotonicMs() + sliceMs;
            do {
              if (isCancelled) steps.cancel();
              const waitMs = steps.next();
              if (steps.ended !== undefined) return resolve(steps.ended.result);
              if (waitMs > 0 && !isCancelled) {
                waking = { timer: timers.after(waitMs, slice), slice };
                return;
              }
            } while (clock.monotonicMs() < untilMs);
            turn.later(slice);
          } catch (error) {
            reject(error);
          }
        };
        turn.later(slice);
      };
      const prepared = job.prepare?.();
      if (prepared === undefined) begin();
      else prepared.then(begin, reject);
    });
    return {
      done,
      cancel: () => {
        isCancelled = true;
        if (waking === undefined) return;
        waking.timer.cancel();
        turn.later(waking.slice);
        waking = undefined;
      },
    };
  }
}

/** A job step by step: what all that run jobs have in common. */
export class JobSteps<In, Out, Progress> {
  /** There once the job has returned. */
  ended: { readonly result: Out } | undefined;
  readonly #name: string;
  readonly #steps: Generator<StepEnd<Progress> | undefined, Out, void>;
  readonly #onProgress: ((progress: Progress) => void) | undefined;

  constructor(
    job: BackgroundJob<In, Out, Progress>,
    input: In,
    context: BackgroundContext,
    onProgress: ((progress: Progress) => void) | undefined,
  ) {
    this.#name = job.name;
    this.#steps = job.run(input, context);
    this.#onProgress = onProgress;
  }

  /** Runs one step and returns how long to wait before the next, in ms. Throws what the job throws. */
  next(): number {
    const step = this.#steps.next();
    if (step.done === true) {
      this.ended = { result: step.value };
      return 0;
    }
    if (step.value?.progress !== undefined) this.#onProgress?.(step.value.progress);
    return step.value?.waitMs ?? 0;
  }

  /** Has the job clean up behind itself. Throws CancelledError, or what the clean-up throws. */
  cancel(): never {
    // The value would be the result; nobody sees it.
    this.#steps.return(undefined as Out);
    throw new CancelledError(this.#name);
  }
}
