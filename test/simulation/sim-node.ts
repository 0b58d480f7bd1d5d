import type { Ports } from '../../src/base/ports.ts';
import type { CrashMode } from './disk-file.ts';
import type { SeededRandom } from './random.ts';
import type { Machine, SimProcess, World } from './world.ts';

/** What a node is to the world: made from ports, stopped in order. */
export interface Running {
  stop(): Promise<void>;
}

/** A node on its machine through starts, crashes and restarts. */
export class SimNode<R extends Running> {
  readonly machine: Machine;
  readonly #world: World;
  readonly #start: (ports: Ports) => Promise<R>;
  #running: R | undefined;
  #process: SimProcess | undefined;
  starts = 0;
  crashes = 0;

  constructor(world: World, machine: Machine, start: (ports: Ports) => Promise<R>) {
    this.#world = world;
    this.machine = machine;
    this.#start = start;
  }

  /** The node while it runs and has started wholly. */
  get running(): R | undefined {
    return this.#process?.alive === true ? this.#running : undefined;
  }

  /**
   * Starts it. Undefined when a crash came in between: a start that never ends is then no failure. A start that fails
   * in order rejects.
   */
  async start(): Promise<R | undefined> {
    const process = this.machine.boot();
    this.#process = process;
    this.#running = undefined;
    this.starts++;
    let ended = false;
    let failure: unknown;
    this.#start(process.ports).then(
      (running) => {
        ended = true;
        if (process.alive) this.#running = running;
      },
      (error: unknown) => {
        ended = true;
        failure = error;
      },
    );
    await this.#world.until(() => ended || !process.alive);
    if (!process.alive) return undefined;
    if (failure !== undefined) {
      this.machine.exited();
      throw failure;
    }
    return this.#running;
  }

  /** Starts it from inside a script that runs on the world, without waiting. */
  startLater(afterMs: number, failed: (error: unknown) => void): void {
    this.#world.after(afterMs, () => {
      if (this.machine.process !== undefined) return;
      const process = this.machine.boot();
      this.#process = process;
      this.#running = undefined;
      this.starts++;
      this.#start(process.ports).then(
        (running) => {
          if (process.alive) this.#running = running;
        },
        (error: unknown) => {
          if (process.alive) failed(error);
        },
      );
    });
  }

  crash(how: 'power' | 'kill', mode?: CrashMode): void {
    this.crashes++;
    this.machine.crash(how, mode);
  }

  /** Loses power instead of a changing operation on the disk, `operations` from now. */
  crashInsteadOfOperation(operations: number, mode?: CrashMode): void {
    this.machine.disk.crashInstead(operations, () => this.crash('power', mode));
  }

  /** Stops it in order. */
  async stop(): Promise<void> {
    const running = this.running;
    if (running === undefined) return;
    await this.#world.settle(running.stop());
    this.machine.exited();
  }
}

/** One thing that a client may do; how likely, in relation to the others. */
export interface Action {
  readonly weight: number;
  run(): Promise<void>;
}

/**
 * A client that does one random thing after another until `untilMs` of virtual time, with pauses between them. What an
 * action throws ends the script with it: an action catches what may go wrong.
 */
export async function runScript(
  world: World,
  random: SeededRandom,
  actions: readonly Action[],
  options: { readonly untilMs: number; readonly pauseMs: readonly [number, number] },
): Promise<void> {
  const choices = actions.map((action) => [action.weight, action] as const);
  while (world.nowMs < options.untilMs) {
    await random.weighted(choices).run();
    await world.sleep(random.between(...options.pauseMs));
  }
}
