import { ZERO_UUID } from '../../src/base/uuid.ts';
import { LogManager } from '../../src/log/log-manager.ts';
import { prepareCodec } from '../../src/protocol/compression/index.ts';
import { ProtocolError } from '../../src/protocol/errors.ts';
import { EPOCH_MS } from './event-loop.ts';
import type { LogView } from './log-model.ts';
import { probe, readWhole, type Settle } from './log-reading.ts';
import { LogSubject } from './log-subject.ts';
import { promised, Violation } from './model.ts';
import type { SeededRandom } from './random.ts';
import { type Machine, World } from './world.ts';

const HOST = 'n1';
const STEPS = 220;
const POLICIES = ['compact', 'compact,delete', 'delete'] as const;
const START_LIMIT_MS = 60_000;
const BOOTS_MAX = 20;
/** So soon a job of the cleaner has ended that nobody wants any more. */
const JOB_END_MS_MAX = 50;
const CAPACITY_BYTES = 1 << 30;

export interface LogSimulationResult {
  readonly seed: number;
  readonly hash: string;
  readonly virtualMs: number;
  readonly counts: Readonly<Record<string, number>>;
}

/**
 * Logs under a log manager, without a node: appends, transactions, rolls, cuts, retention and compaction in any order, on a
 * disk that fails, fills and loses its power. Rejects with a {@link Violation} when a log does not hold what it must.
 */
export async function simulateLogs(options: {
  readonly seed: number;
  readonly print?: (line: string) => void;
}): Promise<LogSimulationResult> {
  await prepareCodec('zstd');
  const world = new World(options);
  try {
    return await new LogSimulation(world).run();
  } catch (error) {
    const isViolation = error instanceof Violation;
    const text = error instanceof Error && !isViolation ? (error.stack ?? error.message) : String(error);
    const last = world.machine(HOST).logLines.slice(-8).join('\n  ');
    const atMs = world.nowMs.toFixed(0);
    throw new Violation(`seed ${options.seed} at ${atMs} ms: ${text}\n  ${last}`, { cause: error });
  }
}

class LogSimulation {
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #machine: Machine;
  readonly #subjects: readonly LogSubject[];
  readonly #counts: Record<string, number> = {};
  #manager: LogManager | undefined;
  /** Of this machine's disk, when it was booted. */
  #failedSyncs = 0;
  #crashed: 'kill' | 'power' | undefined;

  constructor(world: World) {
    this.#world = world;
    this.#random = world.random.fork();
    this.#machine = world.machine(HOST);
    const { disk } = this.#machine;
    disk.faults.writeShort = this.#random.pick([0, 0, 0.002]);
    disk.faults.writePaths = /\/t\d-0\//;
    this.#subjects = POLICIES.map((policy, at) => {
      const nowMs = () => EPOCH_MS + Math.floor(world.nowMs);
      return new LogSubject(`t${at}`, policy, this.#random, nowMs, disk);
    });
  }

  async run(): Promise<LogSimulationResult> {
    await this.#makeDir();
    await this.#boot(false);
    for (let step = 0; step < STEPS; step += 1) {
      await this.#step();
      await this.#world.run(
        this.#random.weighted([
          [8, 0],
          [6, 3],
          [4, 50],
          [1, 3000],
        ] as const),
      );
      await this.#restartIfDown();
      for (const subject of this.#subjects) subject.noteRecoveryPoint();
      if (this.#random.chance(0.15)) await this.#verify();
    }
    await this.#calmDown();
    const { seed, trace, nowMs } = this.#world;
    return { seed, hash: trace.hash(), virtualMs: nowMs, counts: this.#counts };
  }

  /** A node makes the names of its log dirs durable before it uses them. */
  async #makeDir(): Promise<void> {
    const { storage } = this.#machine.boot().ports;
    storage.makeDir('/data');
    await this.#settle(storage.syncDir('/'));
    this.#machine.exited();
  }

  async #step(): Promise<void> {
    const subject = this.#random.pick(this.#subjects);
    const [name, act] = this.#pickAct(subject);
    try {
      await act(subject);
      this.#count(name);
    } catch (error) {
      // The disk failed, or the process is no more.
      if (!(error instanceof ProtocolError)) throw error;
      this.#count(`${name} failed`);
    }
    for (const { groundless, model } of this.#subjects) {
      promised(
        groundless === undefined,
        () => `${model.name}: nothing failed but an append: ${groundless?.message}`,
      );
    }
  }

  #pickAct(subject: LogSubject): readonly [string, (subject: LogSubject) => unknown] {
    const { log } = subject;
    const isCleaning = log !== undefined && this.#manager?.cleaner.isCleaning(log) === true;
    if (isCleaning && this.#random.chance(0.2)) {
      // What must not happen behind a cleaner's back.
      this.#count('while it is cleaned');
      return this.#random.weighted([
        [4, ['cut', (one: LogSubject) => this.#cut(one)]],
        [2, ['reset', (one: LogSubject) => this.#reset(one)]],
        [2, ['recreate', (one: LogSubject) => this.#recreate(one)]],
        [1, ['restart', () => this.#restart()]],
        [1, ['delete records', (one: LogSubject) => one.deleteRecords()]],
        [1, ['settings', (one: LogSubject) => one.changeSettings()]],
      ] as const);
    }
    return this.#random.weighted([
      [50, ['append', (one: LogSubject) => one.append()]],
      [12, ['transaction', (one: LogSubject) => one.transaction()]],
      [10, ['high watermark', (one: LogSubject) => one.moveHighWatermark()]],
      [4, ['roll', (one: LogSubject) => one.log?.roll()]],
      [4, ['flush', (one: LogSubject) => one.flush()]],
      [3, ['cut', (one: LogSubject) => this.#cut(one)]],
      [1, ['reset', (one: LogSubject) => this.#reset(one)]],
      [2, ['delete records', (one: LogSubject) => one.deleteRecords()]],
      [3, ['settings', (one: LogSubject) => one.changeSettings()]],
      [1, ['recreate', (one: LogSubject) => this.#recreate(one)]],
      [3, ['fault', () => this.#planFault()]],
      [2, ['crash', () => this.#planCrash()]],
      [1, ['restart', () => this.#restart()]],
    ] as const);
  }

  async #boot(lostPower: boolean): Promise<void> {
    for (let boots = 0; boots < BOOTS_MAX; boots += 1) {
      this.#crashed = undefined;
      const process = this.#machine.boot();
      this.#failedSyncs = this.#machine.disk.failedSyncs;
      for (const subject of this.#subjects) subject.booted();
      this.#machine.disk.capacityBytes = CAPACITY_BYTES;
      try {
        if (await this.#open(lostPower)) return;
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        this.#count('start failed');
        if (process.alive) this.#machine.crash('kill');
      }
      lostPower ||= this.#crashed === 'power';
    }
    throw new Violation(`it does not start in ${BOOTS_MAX} times`);
  }

  /** False where the process ended meanwhile. */
  async #open(lostPower: boolean): Promise<boolean> {
    const { ports } = this.#machine.process!;
    const settings = {
      enabled: true,
      threads: 1,
      backoffMs: 200,
      dedupeBufferBytes: this.#random.pick([240, 24 * 1000]),
      ioBufferBytes: 0,
      bytesPerSecondMax: this.#random.pick([20_000, Number.MAX_VALUE]),
      loadFactor: 0.9,
    };
    const isAside = this.#random.chance(0.5);
    const opening = LogManager.open({
      dirs: ['/data'],
      configFor: (topic) => this.#subjects.find((one) => one.model.name === topic)!.config,
      ports,
      options: {
        openFilesMax: this.#random.pick([4, 512]),
        ...(isAside ? { offLoopRecoveryBytes: 0 } : {}),
      },
      cleanerSettings: () => settings,
      intervals: {
        retentionCheckMs: 1000,
        initialDelayMs: 500,
        recoveryPointCheckpointMs: 700,
        logStartCheckpointMs: 700,
        highWatermarkCheckpointMs: 700,
      },
    });
    const manager = await this.#settle(opening);
    if (manager === undefined) return false;
    this.#manager = manager;
    for (const subject of this.#subjects) {
      const { name } = subject.model;
      // What the node does with partitions of topics that are no more.
      const found = manager.get(name, 0)?.topicId;
      if (found === ZERO_UUID) subject.model.lostIdentity();
      else if (found !== subject.topicId) manager.delete(name, 0);
      const log = manager.getOrCreate(name, 0, subject.topicId, subject.config, true);
      subject.opened(log);
      const view = await this.#readAfterStart(subject);
      if (view === undefined) return false;
      subject.restarted(view, lostPower);
      log.updateHighWatermark(log.logEndOffset);
    }
    manager.startBackground();
    return true;
  }

  async #readAfterStart({ log }: LogSubject): Promise<LogView | undefined> {
    while (this.#crashed === undefined) {
      const view = await readWhole(log!, this.#settle);
      if (view !== undefined) return view;
    }
    return undefined;
  }

  async #restartIfDown(): Promise<void> {
    if (this.#crashed === undefined && this.#subjects.some(({ log }) => log?.isOffline === true)) {
      this.#crash('kill');
    }
    if (this.#crashed === undefined) return;
    const lostPower = this.#crashed === 'power';
    this.#count(lostPower ? 'power losses' : 'kills');
    await this.#boot(lostPower);
    await this.#verify();
  }

  /** Then the machine must be booted anew: what is not on the disk still looks like written. */
  #hasFailedSync(): boolean {
    return this.#machine.disk.failedSyncs > this.#failedSyncs;
  }

  async #restart(): Promise<void> {
    const manager = this.#manager!;
    await this.#settle(manager.close());
    if (this.#crashed !== undefined) return;
    const before = this.#subjects.map((subject) => subject.stateAtStop());
    const operations = JSON.stringify(this.#machine.disk.counts);
    await this.#world.run(5000);
    if (this.#crashed !== undefined) return;
    promised(
      operations === JSON.stringify(this.#machine.disk.counts),
      () => 'files were touched after the logs were closed',
    );
    // Where the disk was full it is none.
    const wasClean = this.#machine.disk.files().has('/data/.kafka_cleanshutdown');
    if (this.#hasFailedSync()) {
      this.#crash('power');
      return;
    }
    if (wasClean) for (const { model } of this.#subjects) model.flushed(model.acknowledgedEnd);
    this.#machine.exited();
    await this.#boot(false);
    const after = this.#subjects.map((subject) => subject.stateAtStop());
    if (wasClean && this.#crashed === undefined) {
      for (const [at, state] of before.entries()) {
        promised(
          state === after[at],
          () => `before the restart ${POLICIES[at]} had ${state}, and now ${after[at]}`,
        );
      }
    }
    await this.#verify();
  }

  /** As a follower cuts: never below the high watermark. */
  #cut(subject: LogSubject): void {
    const log = subject.log!;
    const ends = subject.model.batchOffsets(log.highWatermark).filter((one) => one <= log.logEndOffset);
    const offset = ends.length === 0 ? log.logEndOffset : this.#random.pick(ends);
    subject.cutting(
      () => subject.model.cut(offset),
      () => log.truncateTo(offset),
    );
  }

  /** As a follower does that its leader has left behind. */
  #reset(subject: LogSubject): void {
    const log = subject.log!;
    // Mostly where the old segments lay.
    const offset = this.#random.chance(0.7) ? log.logStartOffset : log.logEndOffset + this.#random.below(5);
    subject.cutting(
      () => subject.model.reset(offset),
      () => log.truncateFully(offset),
    );
  }

  async #recreate(subject: LogSubject): Promise<void> {
    const manager = this.#manager!;
    const { name } = subject.model;
    manager.delete(name, 0);
    subject.recreated();
    const log = manager.getOrCreate(name, 0, subject.topicId, subject.config, true);
    subject.opened(log);
    await this.#world.run(JOB_END_MS_MAX);
    promised(
      this.#crashed !== undefined || !manager.cleaner.isCleaning(log),
      () => `${name} waits for the cleaner of the log that it replaces`,
    );
  }

  #planFault(): void {
    const { disk } = this.#machine;
    if (this.#random.chance(0.3)) {
      disk.capacityBytes = CAPACITY_BYTES - disk.usableBytes() + this.#random.below(3000);
      this.#world.after(this.#random.between(100, 5000), () => {
        disk.capacityBytes = CAPACITY_BYTES;
      });
      return;
    }
    const operation = this.#random.pick(['open', 'write', 'sync', 'rename', 'remove', 'read'] as const);
    disk.failNext(
      operation,
      this.#random.pick(['EIO', 'ENOSPC'] as const),
      this.#random.pick([/cleaned/, /swap|cleaned/, /t\d-0\//]),
    );
  }

  #planCrash(): void {
    const how = this.#random.pick(['kill', 'power'] as const);
    this.#machine.disk.crashInstead(this.#random.below(40), () => this.#crash(how));
  }

  #crash(planned: 'kill' | 'power'): void {
    const how = this.#hasFailedSync() ? 'power' : planned;
    this.#crashed = how;
    for (const subject of this.#subjects) subject.crashed();
    this.#machine.crash(how, this.#random.pick(['tear', 'forget'] as const));
  }

  /** Undefined where the process ends before the promise is settled. */
  readonly #settle: Settle = async <T>(promise: Promise<T>) => {
    let isSettled = false;
    const settled = () => {
      isSettled = true;
    };
    promise.then(settled, settled);
    await this.#world.until(() => isSettled || this.#crashed !== undefined, START_LIMIT_MS);
    return isSettled ? promise : undefined;
  };

  async #verify(): Promise<void> {
    for (const subject of this.#subjects) {
      const { log, model } = subject;
      if (log === undefined || log.isOffline || log.isClosed || this.#crashed !== undefined) continue;
      try {
        const view = await readWhole(log, this.#settle);
        if (view === undefined) continue;
        model.check(view, EPOCH_MS + Math.floor(this.#world.nowMs));
        await probe(log, view, this.#random, this.#settle);
        this.#count('verified');
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
      }
    }
  }

  /** Nothing fails any more: everything gets compacted, and nothing is lost by it. */
  async #calmDown(): Promise<void> {
    const { disk } = this.#machine;
    disk.capacityBytes = CAPACITY_BYTES;
    disk.faults.writeShort = 0;
    disk.allWell();
    await this.#world.run(10_000);
    await this.#restartIfDown();
    await this.#restart();
    await this.#restartIfDown();
    for (const { log } of this.#subjects) {
      log!.roll();
      log!.updateHighWatermark(log!.logEndOffset);
    }
    await this.#world.run(120_000);
    await this.#restartIfDown();
    await this.#verify();
    for (const subject of this.#subjects) await this.#checkCompacted(subject);
    const leftovers = [...disk.files().keys()].filter((path) => /\.(cleaned|swap|deleted)$/.test(path));
    promised(leftovers.length === 0, () => `files are left: ${leftovers.join(' ')}`);
  }

  async #checkCompacted({ log, model }: LogSubject): Promise<void> {
    if (!log!.config.cleanupPolicy.includes('compact')) return;
    const view = (await readWhole(log!, this.#settle))!;
    const cleanedEnd = log!.cleanedEnd ?? 0;
    const closedEnd = Math.min(log!.activeBaseOffset, log!.lastStableOffset);
    if (log!.closedSegments.every(({ sizeInBytes }) => sizeInBytes === 0)) return;
    promised(
      cleanedEnd >= closedEnd || log!.lastStableOffset < log!.activeBaseOffset,
      () => `${model.name} was cleaned only to ${cleanedEnd} of ${closedEnd}`,
    );
    model.checkCompacted(view, cleanedEnd);
  }

  #count(what: string): void {
    this.#counts[what] = (this.#counts[what] ?? 0) + 1;
  }
}
