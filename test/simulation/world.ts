import { BufferPool } from '../../src/base/buffer-pool.ts';
import type { Logger, Ports, Timer, Timers, Turn } from '../../src/base/ports.ts';
import { SimBackground } from './background.ts';
import { SimDisk } from './disk.ts';
import type { CrashMode } from './disk-file.ts';
import { EPOCH_MS, EventLoop } from './event-loop.ts';
import { SimNetwork } from './network.ts';
import { SeededRandom } from './random.ts';
import { Kind, Trace } from './trace.ts';

/**
 * The simulated world: machines with ports made from one seed, on virtual time. Production code runs on it unchanged.
 *
 *     const world = new World({ seed: 7 });
 *     const machine = world.machine('n1');          // its disk outlives its processes
 *     const process = machine.boot();               // ports of one run of a process
 *     const node = await world.settle(startNode(process.ports));
 *     machine.crash('power', 'tear');               // or 'kill': the process only
 *     await world.run(60_000);                      // ms of virtual time
 *     world.trace.hash()                            // equal for two runs of one seed
 *
 * What is not simulated: real asynchronous work (Wasm that compiles, `node:fs`), which must be done before; and time
 * that code takes: it runs in no time.
 */

/** Where wall clocks stand when a world begins: 2026-01-01. */
const SETTLE_LIMIT_MS = 600_000;
const LOG_LINES_KEPT = 200;
/** How long a tick takes, and how late a timer is, in µs. */
const TICK_US = [2, 20] as const;
const TIMER_LATE_US = 400;

export interface WorldOptions {
  readonly seed: number;
  /** Gets a line for each port event and each line that nodes log; for looking at one seed. */
  readonly print?: (line: string) => void;
}

export class World {
  readonly seed: number;
  readonly loop = new EventLoop();
  readonly random: SeededRandom;
  readonly trace: Trace;
  readonly network: SimNetwork;
  readonly print: ((line: string) => void) | undefined;
  readonly #machines = new Map<string, Machine>();

  constructor(options: WorldOptions) {
    this.seed = options.seed;
    this.print = options.print;
    this.random = new SeededRandom(options.seed);
    this.trace = new Trace(() => this.loop.nowUs, options.print);
    this.network = new SimNetwork(this.loop, this.random.fork(), this.trace);
  }

  /** Ms since the world began. */
  get nowMs(): number {
    return this.loop.nowUs / 1000;
  }

  /** The machine of that name, made when it is first asked for. */
  machine(name: string): Machine {
    let machine = this.#machines.get(name);
    if (machine === undefined) {
      machine = new Machine(this, name);
      this.#machines.set(name, machine);
    }
    return machine;
  }

  /** Lets `ms` of virtual time pass. */
  async run(ms: number): Promise<void> {
    await this.loop.runUntil(this.loop.nowUs + Math.round(ms * 1000), () => false);
  }

  /** Runs until the condition holds after some event; throws when it does not within `limitMs`. */
  async until(condition: () => boolean, limitMs: number = SETTLE_LIMIT_MS): Promise<void> {
    const untilUs = this.loop.nowUs + limitMs * 1000;
    if (await this.loop.runUntil(untilUs, condition)) return;
    throw new Error(`seed ${this.seed}: what was waited for did not happen within ${limitMs} ms`);
  }

  /** Runs until the promise is settled, and gives what it gives. */
  async settle<T>(promise: Promise<T>, limitMs: number = SETTLE_LIMIT_MS): Promise<T> {
    let settled = false;
    const done = () => {
      settled = true;
    };
    promise.then(done, done);
    await this.until(() => settled, limitMs);
    return promise;
  }

  /** Runs `action` after `ms`, whatever became of any process. */
  after(ms: number, action: () => void): void {
    this.loop.after(ms * 1000, action);
  }

  /** A promise that resolves after `ms`, for scripts of clients. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }
}

/** A machine with a disk, on which one process runs at a time. */
export class Machine {
  readonly name: string;
  readonly disk: SimDisk;
  /** How far its wall clock is off; a change is a jump. */
  clockOffsetMs = 0;
  /** The last lines that its processes logged. */
  readonly logLines: string[] = [];
  readonly #world: World;
  #process: SimProcess | undefined;

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
    this.disk = new SimDisk(name, world.loop, world.random.fork(), world.trace);
  }

  /** The process that runs now. */
  get process(): SimProcess | undefined {
    return this.#process?.alive === true ? this.#process : undefined;
  }

  /** Starts a process; one at a time. */
  boot(): SimProcess {
    if (this.process !== undefined) throw new Error(`${this.name} runs already`);
    this.#world.trace.event(Kind.boot, this.name);
    this.#process = new SimProcess(this.#world, this);
    return this.#process;
  }

  /**
   * Ends the process in the middle of whatever it does. `power`: the machine goes with it, and the disk keeps what
   * `mode` leaves. `kill`: as SIGKILL does, the disk keeps all.
   */
  crash(how: 'power' | 'kill', mode: CrashMode = 'tear'): void {
    const process = this.#process;
    this.#world.trace.event(Kind.crash, this.name, how === 'power' ? 1 : 0);
    if (process !== undefined) {
      process.alive = false;
      this.#world.network.ended(process, how === 'power');
      this.disk.released(process);
    }
    if (how === 'power') this.disk.powerLoss(mode);
  }

  /** The process has ended by itself, in order: frees what is left of it. */
  exited(): void {
    this.crash('kill');
  }
}

/** One run of a process: once it is not alive, nothing that it asked for happens any more. */
export class SimProcess {
  alive = true;
  readonly host: string;
  readonly ports: Ports & { readonly framePool: BufferPool };

  constructor(world: World, machine: Machine) {
    this.host = machine.name;
    const bootedUs = world.loop.nowUs;
    const random = world.random.fork();
    this.ports = {
      clock: {
        wallMs: () => EPOCH_MS + Math.floor(world.nowMs) + machine.clockOffsetMs,
        monotonicMs: () => (world.loop.nowUs - bootedUs) / 1000,
      },
      timers: new SimTimers(world, this),
      turn: new SimTurn(world, this),
      random,
      storage: machine.disk.storageFor(this),
      network: world.network.networkFor(this),
      background: new SimBackground(world.loop, this, () => random.fork()),
      logger: simLogger(world, machine, this, ''),
      framePool: new BufferPool({ poison: true }),
    };
  }
}

class SimTimers implements Timers {
  readonly #world: World;
  readonly #process: SimProcess;
  readonly #random: SeededRandom;

  constructor(world: World, process: SimProcess) {
    this.#world = world;
    this.#process = process;
    this.#random = world.random.fork();
  }

  after(delayMs: number, run: () => void): Timer {
    const { loop, trace } = this.#world;
    // As far away as a thousand years; Infinity has no place in a heap of integers.
    const us = Math.min(Math.max(delayMs, 0) * 1000, 3.2e16) + this.#random.below(TIMER_LATE_US);
    const event = loop.after(us, () => {
      if (!this.#process.alive) return;
      trace.event(Kind.timer, this.#process.host);
      run();
    });
    return { cancel: () => loop.cancel(event) };
  }
}

class SimTurn implements Turn {
  readonly #world: World;
  readonly #process: SimProcess;
  readonly #random: SeededRandom;
  #queue: (() => void)[] = [];
  readonly #first: (() => void)[] = [];
  readonly #atEnd: (() => void)[] = [];
  #scheduled = false;

  constructor(world: World, process: SimProcess) {
    this.#world = world;
    this.#process = process;
    this.#random = world.random.fork();
  }

  later(run: () => void): void {
    this.#queue.push(run);
    this.#schedule();
  }

  first(run: () => void): void {
    this.#first.push(run);
    this.#schedule();
  }

  atEnd(run: () => void): void {
    this.#atEnd.push(run);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#world.loop.after(this.#random.between(...TICK_US), () => {
      if (this.#process.alive) this.#tick();
    });
  }

  #tick(): void {
    this.#world.trace.event(Kind.turn, this.#process.host, this.#queue.length);
    while (this.#first.length > 0 && this.#process.alive) this.#first.shift()?.();
    const queue = this.#queue;
    this.#queue = [];
    for (const run of queue) if (this.#process.alive) run();
    this.#world.loop.drain();
    while (this.#atEnd.length > 0 && this.#process.alive) this.#atEnd.shift()?.();
    this.#scheduled = false;
    if (this.#first.length + this.#queue.length > 0) this.#schedule();
  }
}

function simLogger(world: World, machine: Machine, process: SimProcess, name: string): Logger {
  const write = (level: string) => (message: string, fields?: object) => {
    if (!process.alive) return;
    const detail = fields === undefined ? '' : ` ${String(JSON.stringify(fields, plain))}`;
    const line = `${(world.nowMs / 1000).toFixed(6)} ${machine.name} ${level} ${name}: ${message}${detail}`;
    machine.logLines.push(line);
    if (machine.logLines.length > LOG_LINES_KEPT) machine.logLines.shift();
    world.print?.(line);
  };
  return {
    debug: world.print === undefined ? () => {} : write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (child) => simLogger(world, machine, process, name === '' ? child : `${name}.${child}`),
  };
}

function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  return value instanceof Error ? value.stack : value;
}
