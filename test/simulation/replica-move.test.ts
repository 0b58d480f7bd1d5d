import { expect, test } from 'vitest';
import type { Uuid } from '../../src/base/uuid.ts';
import type { PartitionLog } from '../../src/log/log.ts';
import { LogManager } from '../../src/log/log-manager.ts';
import { batch, config, valuesFrom } from '../unit/log/fakes.ts';
import type { CrashMode } from './disk-file.ts';
import { CHANGES } from './each-operation.ts';
import { type Machine, World } from './world.ts';

const DIRS = ['/a', '/b'];
const CONFIG = config({ flushMessages: 1, segmentBytes: 400, fileDeleteDelayMs: 50 });
const topicId = 'TopicIdTopicIdTopicIdA' as Uuid;

const open = (world: World, machine: Machine): Promise<LogManager> =>
  world.settle(LogManager.open({ dirs: DIRS, configFor: () => CONFIG, ports: machine.boot().ports }));

/** One partition that is written, one record at a time, while it goes from one dir to the other. */
class Life {
  readonly acknowledged: string[] = [];
  readonly world: World;
  readonly machine: Machine;
  #manager: LogManager;
  #sent = 0;

  private constructor(world: World, machine: Machine, manager: LogManager) {
    this.world = world;
    this.machine = machine;
    this.#manager = manager;
  }

  static async begin(seed: number): Promise<Life> {
    const world = new World({ seed });
    const machine = world.machine('n');
    const { storage } = machine.boot().ports;
    for (const dir of DIRS) storage.makeDir(dir);
    await world.settle(storage.syncDir('/'));
    machine.exited();
    return new Life(world, machine, await open(world, machine));
  }

  get log(): PartitionLog | undefined {
    return this.#manager.get('t', 0);
  }

  /** Operations on the disk that `crashInstead` counts. */
  changes(): number {
    const { counts } = this.machine.disk;
    return Object.values(counts).reduce((sum, count) => sum + count, 0) - counts.read;
  }

  async write(): Promise<void> {
    this.#manager.startBackground();
    this.#manager.getOrCreate('t', 0, topicId, CONFIG, true, '/a');
    for (let count = 0; count < 5; count += 1) await this.#append();
  }

  async move(): Promise<void> {
    this.#manager.move('t', 0, '/b');
    for (let count = 0; count < 5; count += 1) await this.#append();
    await this.world.run(100);
  }

  get offlineDirs(): readonly string[] {
    return this.#manager.offlineDirs;
  }

  /** Whether a new partition in a dir takes a record, once nobody takes the disk for full any more. */
  async serves(dir: string): Promise<boolean> {
    await this.world.run(2000);
    const before = this.acknowledged.length;
    await this.#append(this.#manager.getOrCreate('other', 0, topicId, CONFIG, true, dir));
    return this.acknowledged.splice(before).length === 1;
  }

  /** Resolves also where the process is gone. */
  async #append(log = this.log): Promise<void> {
    const { process } = this.machine;
    const value = `${this.#sent++}`;
    let isOver = process === undefined || log === undefined;
    try {
      const done = (error?: Error) => {
        if (error === undefined && process?.alive) this.acknowledged.push(value);
        isOver = true;
      };
      if (!isOver) log?.appendAsLeader(batch([value]), 0, { origin: 'client', done });
    } catch {
      isOver = true;
    }
    await this.world.until(() => isOver || process?.alive !== true);
  }

  /** What the next start finds, then what a move that goes on makes of it, and what a stop in order leaves. */
  async restart(): Promise<(readonly [string, string[]])[]> {
    const seen: (readonly [string, string[]])[] = [];
    const look = async () => {
      const values = this.log === undefined ? [] : await this.world.settle(valuesFrom(this.log, 0));
      seen.push([this.log?.parentDir ?? '', values]);
    };
    this.#manager = await open(this.world, this.machine);
    await look();
    this.#manager.startBackground();
    await this.world.run(100);
    await look();
    await this.world.settle(this.#manager.close());
    this.machine.exited();
    this.#manager = await open(this.world, this.machine);
    await look();
    return seen;
  }
}

/** As SIGKILL does it; a power loss with all that was not synced; one with some of it. */
const crashes: readonly (readonly ['kill' | 'power', CrashMode])[] = [
  ['kill', 'tear'],
  ['power', 'forget'],
  ['power', 'tear'],
];

test('a node that crashes anywhere in a move finds every acknowledged record again, and one replica', async () => {
  const whole = await Life.begin(1);
  await whole.write();
  const before = whole.changes();
  await whole.move();
  expect([whole.log?.parentDir, whole.acknowledged.length]).toEqual(['/b', 10]);
  const operations = whole.changes() - before;
  const found = { a: 0, b: 0 };
  for (let at = 0; at < operations; at += 1) {
    const [how, mode] = crashes[at % crashes.length]!;
    const life = await Life.begin(1);
    await life.write();
    life.machine.disk.crashInstead(at, () => life.machine.crash(how, mode));
    await life.move();
    if (life.machine.process !== undefined) life.machine.crash(how, mode);
    const seen = await life.restart();
    const [dir, values] = seen[0]!;
    if (dir === '/a') found.a += 1;
    if (dir === '/b') found.b += 1;
    const where = `${how} (${mode}) at operation ${at}`;
    expect(values.slice(0, life.acknowledged.length), where).toEqual(life.acknowledged);
    // What came back once stays.
    expect(
      seen.map(([, later]) => later),
      where,
    ).toEqual(seen.map(() => values));
  }
  expect(found.a).toBeGreaterThan(0);
  expect(found.b).toBeGreaterThan(0);
}, 120_000);

test('a disk that fails once anywhere in a move takes at most that dir offline, and loses nothing', async () => {
  const whole = await Life.begin(1);
  await whole.write();
  const before = whole.changes();
  await whole.move();
  const operations = whole.changes() - before;
  const offline = new Map<string, number>();
  for (let at = 0; at < operations; at += 2) {
    const life = await Life.begin(1);
    await life.write();
    life.machine.disk.failAt(at, CHANGES, at % 4 === 0 ? 'EIO' : 'ENOSPC');
    await life.move();
    life.machine.disk.allWell();
    const where = `operation ${at}: ${life.machine.disk.failedAt}`;
    const [failed] = life.offlineDirs;
    offline.set(failed ?? '', (offline.get(failed ?? '') ?? 0) + 1);
    expect(life.offlineDirs.length, where).toBeLessThan(2);
    if (failed !== undefined) expect(life.machine.disk.failedAt).toMatch(new RegExp(` ${failed}[/ ]`));
    expect(await life.serves(failed === '/a' ? '/b' : '/a'), where).toBe(true);
    expect(life.log?.isOffline, where).toBe(failed === life.log?.parentDir);
    life.machine.crash('power', 'forget');
    for (const [, values] of await life.restart()) {
      expect(
        values.filter((value) => life.acknowledged.includes(value)),
        where,
      ).toEqual(life.acknowledged);
    }
  }
  expect(offline.get('/a') ?? 0).toBeGreaterThan(0);
  expect(offline.get('/b') ?? 0).toBeGreaterThan(0);
}, 120_000);
