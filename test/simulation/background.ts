import { JobSteps } from '../../src/base/inline-background.ts';
import {
  type Background,
  type BackgroundJob,
  type BackgroundRun,
  CancelledError,
} from '../../src/base/ports.ts';
import type { EventLoop, SimEvent } from './event-loop.ts';
import type { SeededRandom } from './random.ts';
import type { SimProcess } from './world.ts';

/** How long a step takes, and a message between two threads, in µs. */
const STEP_US = [20, 2_000] as const;
const MESSAGE_US = [5, 200] as const;
const THREADS = 2;

/**
 * Other threads of a simulated process: between two steps of a job the loop does what it likes. Data is copied on its
 * way, as between real threads.
 */
export class SimBackground implements Background {
  readonly #loop: EventLoop;
  readonly #process: SimProcess;
  #random: SeededRandom | undefined;
  readonly #newRandom: () => SeededRandom;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /** `random` is asked once a first job runs. */
  constructor(loop: EventLoop, process: SimProcess, random: () => SeededRandom) {
    this.#loop = loop;
    this.#process = process;
    this.#newRandom = random;
  }

  run<In, Out, Progress>(
    job: BackgroundJob<In, Out, Progress>,
    input: In,
    onProgress?: (progress: Progress) => void,
  ): BackgroundRun<Out> {
    const copy = structuredClone(input);
    let toldUs = 0;
    // Messages of one thread arrive in their order.
    const tell = (message: () => void) => {
      const earliest = Math.max(0, toldUs - this.#loop.nowUs);
      toldUs = this.#later(MESSAGE_US, message, 0, earliest).atUs;
    };
    let isCancelled = false;
    let sleeping: { readonly event: SimEvent; readonly step: () => void } | undefined;
    const done = new Promise<Out>((resolve, reject) => {
      const end = (settle: () => void) => {
        this.#running -= 1;
        this.#waiting.shift()?.();
        tell(settle);
      };
      const begin = () => {
        if (isCancelled) return end(() => reject(new CancelledError(job.name)));
        const { storage, clock } = this.#process.ports;
        const steps = new JobSteps(job, copy, { storage, clock }, (progress) => {
          const told = structuredClone(progress);
          tell(() => onProgress?.(told));
        });
        const step = () => {
          sleeping = undefined;
          try {
            if (isCancelled) steps.cancel();
            const waitMs = steps.next();
            if (steps.ended === undefined) {
              sleeping = { event: this.#later(STEP_US, step, waitMs), step };
              return;
            }
            const result = structuredClone(steps.ended.result);
            end(() => resolve(result));
          } catch (error) {
            end(() => reject(error));
          }
        };
        this.#later(STEP_US, step);
      };
      const take = () => {
        this.#running += 1;
        const prepared = job.prepare?.();
        if (prepared === undefined) begin();
        else prepared.then(begin, (error: unknown) => end(() => reject(error)));
      };
      if (this.#running < THREADS) take();
      else this.#waiting.push(take);
    });
    return {
      done,
      cancel: () => {
        isCancelled = true;
        if (sleeping === undefined) return;
        this.#loop.cancel(sleeping.event);
        this.#later(STEP_US, sleeping.step);
        sleeping = undefined;
      },
    };
  }

  #later(us: readonly [number, number], run: () => void, ms = 0, earliestUs = 0): SimEvent {
    this.#random ??= this.#newRandom();
    return this.#loop.after(Math.max(earliestUs, ms * 1000 + this.#random.between(...us)), () => {
      if (this.#process.alive) run();
    });
  }
}
