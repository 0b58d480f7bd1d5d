import type { Ports } from '../../src/base/ports.ts';
import { BrokerConfig } from '../../src/config/broker-config.ts';
import type { MetadataImage } from '../../src/metadata/image.ts';
import { prepareCodec } from '../../src/protocol/compression/index.ts';
import { BrokerNode } from '../../src/server/node.ts';
import { Churn, ChurnModel } from './churn.ts';
import { KafkaClient } from './kafka-client.ts';
import { promised, Violation } from './model.ts';
import type { SeededRandom } from './random.ts';
import { SeveralDirs } from './several-dirs.ts';
import { runScript, SimNode } from './sim-node.ts';
import { newShared, type Shared, Workload } from './workload.ts';
import { type Machine, type SimProcess, World } from './world.ts';

/** Ways to break what is simulated, to see that the simulation notices. */
export interface Canary {
  /** fdatasync answers and does nothing. */
  readonly ignoresSync?: boolean;
  /** fdatasync answers before it is done. */
  readonly answersSyncEarly?: boolean;
  /** `sent` runs before the bytes were taken: buffers are given back and overwritten too early. */
  readonly sentEarly?: boolean;
  /** The buffers that frames are read into are overwritten soon after they were taken. */
  readonly overwritesFrames?: boolean;
}

export interface NodeSimulationOptions {
  readonly seed: number;
  readonly canary?: Canary;
  readonly print?: (line: string) => void;
}

export interface NodeSimulationResult {
  readonly seed: number;
  readonly hash: string;
  readonly virtualMs: number;
  readonly starts: number;
  readonly crashes: number;
  readonly syncs: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly recordsVerified: number;
}

const HOST = 'n1';
const PORT = 9092;
/**
 * Much in a short time, or little in a long one: the same work, but other timers get their turn. Virtual time in ms,
 * the longest pause of a client, and the longest time between two crashes.
 */
const PACES = [
  { ms: 20_000, pauseMs: 120, crashMs: 6000 },
  { ms: 200_000, pauseMs: 1500, crashMs: 60_000 },
  { ms: 2_000_000, pauseMs: 15_000, crashMs: 600_000 },
] as const;
const CLIENTS = 3;
const TOPICS = 5;
const START_LIMIT_MS = 60_000;
/** Every so-maniest seed has a disk that fails or is slow. */
const DISK_FAULTS_EVERY = 5;
/** Every so-maniest seed makes and deletes topics by the thousand, with snapshots of the metadata all the time. */
const CHURN_EVERY = 8;
/** Every so-maniest seed may have so few files open that logs close them all the time. */
const FEW_FILES_EVERY = 3;
const FEW_FILES = 16;
/** Every so-maniest seed has several log dirs, between which replicas move and of which one fails for a while. */
const SEVERAL_DIRS_EVERY = 5;

/**
 * The first simulation: one node, several clients that create, write, read and delete, a network that loses
 * connections, a machine that is killed and loses its power. Rejects with a {@link Violation}, its message beginning
 * with the seed, when the node broke a promise.
 */
export async function simulateNode(options: NodeSimulationOptions): Promise<NodeSimulationResult> {
  const { seed } = options;
  // Its WebAssembly compiles in real time.
  await prepareCodec('zstd');
  const world = new World({ seed, ...(options.print === undefined ? {} : { print: options.print }) });
  try {
    return await new NodeSimulation(world, options).run();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    const last = world.machine(HOST).logLines.slice(-5).join('\n  ');
    throw new Violation(`seed ${seed} at ${world.nowMs.toFixed(0)} ms: ${text}\n  ${last}`, { cause: error });
  }
}

class NodeSimulation {
  readonly #world: World;
  readonly #pace: (typeof PACES)[number];
  readonly #machine: Machine;
  readonly #node: SimNode<BrokerNode>;
  readonly #shared: Shared = newShared(TOPICS);
  readonly #canary: Canary;
  readonly #churn: ChurnModel | undefined;
  readonly #settings: Readonly<Record<string, string>>;
  #failure: Error | undefined;
  /** The process that gave up because of its disk. */
  #dying: Machine['process'];
  /** The topics' states when it did. */
  #statesThen: ReadonlyMap<string, string> = new Map();
  /** All is well from here on. */
  #healed = false;
  /** The image when the node was last seen, and the topics nothing was under way for. */
  #before: { topics: ReadonlyMap<string, string>; stable: ReadonlySet<string> } | undefined;

  constructor(world: World, options: NodeSimulationOptions) {
    this.#world = world;
    this.#pace = world.random.pick(PACES);
    this.#canary = options.canary ?? {};
    this.#machine = world.machine(HOST);
    this.#churn = world.seed % CHURN_EVERY === 2 ? new ChurnModel() : undefined;
    this.#settings = this.#churn === undefined ? {} : snapshotSettings(world.random);
    if (world.seed % SEVERAL_DIRS_EVERY === 4)
      this.#shared.dirs = new SeveralDirs(this.#machine, world.random.fork());
    this.#machine.disk.ignoresSync = this.#canary.ignoresSync ?? false;
    this.#machine.disk.answersSyncEarly = this.#canary.answersSyncEarly ?? false;
    world.network.sentEarly = this.#canary.sentEarly ?? false;
    this.#node = new SimNode(world, this.#machine, (ports) => this.#start(ports));
  }

  async run(): Promise<NodeSimulationResult> {
    const world = this.#world;
    await this.#node.start();
    this.#chooseFaults();
    const scripts = Array.from({ length: CLIENTS }, (_, i) => this.#client(`client-${i}`));
    if (this.#churn !== undefined) scripts.push(this.#churnClient(this.#churn));
    this.#planCrash();
    if (this.#shared.dirs !== undefined) this.#planFailingDir(this.#shared.dirs);
    const all = Promise.all(scripts.map((script) => script.catch((error: unknown) => this.#fail(error))));
    let done = false;
    all.then(() => {
      done = true;
    });
    await world.until(() => done || this.#failure !== undefined, this.#pace.ms + 120_000);
    if (this.#failure !== undefined) throw this.#failure;
    const recordsVerified = await this.#verify();
    return {
      seed: world.seed,
      hash: world.trace.hash(),
      virtualMs: world.nowMs,
      starts: this.#node.starts,
      crashes: this.#node.crashes,
      syncs: this.#machine.disk.counts.sync,
      counts: this.#shared.counts,
      recordsVerified,
    };
  }

  /** Not for canaries: where few files may be open more is synced, and less goes wrong. */
  get #hasFewFiles(): boolean {
    return this.#world.seed % FEW_FILES_EVERY === 1 && Object.keys(this.#canary).length === 0;
  }

  async #start(ports: Ports): Promise<BrokerNode> {
    // What it answered before has arrived by now.
    this.#shared.dying = false;
    const pool = ports.framePool;
    const framePool =
      this.#canary.overwritesFrames === true && pool !== undefined
        ? {
            take: (size: number) => {
              const buffer = pool.take(size);
              this.#world.after(0.001, () => buffer.fill(0x7f));
              return buffer;
            },
            give: (buffer: Buffer) => pool.give(buffer),
            takenBytes: () => pool.takenBytes(),
          }
        : pool;
    const node = new BrokerNode({
      ports: {
        ...ports,
        ...(framePool === undefined ? {} : { framePool }),
        ...(this.#hasFewFiles ? { openFilesMax: FEW_FILES } : {}),
      },
      config: BrokerConfig.parse({
        profile: 'dev',
        hostName: HOST,
        overrides: {
          listeners: `PLAINTEXT://${HOST}:${PORT}`,
          'log.dirs': this.#shared.dirs?.setting ?? '/data',
          'auto.create.topics.enable': 'false',
          'log.segment.delete.delay.ms': '2000',
          ...this.#settings,
        },
      }),
      // Half of the seeds recover their logs in other threads.
      logOptions: this.#world.seed % 2 === 0 ? { offLoopRecoveryBytes: 0 } : {},
      onFatal: (error) => {
        if (this.#machine.process?.ports.clock === ports.clock) this.#fatal(error);
      },
    });
    await node.start();
    this.#compareImage(node.image);
    return node;
  }

  #chooseFaults(): void {
    const { random, network } = this.#world;
    network.faults = {
      latencyUs: [30, random.pick([200, 1000, 5000])],
      slowPacket: random.pick([0, 0.02]),
      lostConnection: random.pick([0, 0, 0.002]),
      split: random.pick([0.1, 0.5, 0.9]),
    };
    const { faults } = this.#machine.disk;
    faults.syncUs = random.pick([
      [50, 300],
      [80, 3000],
      [500, 30_000],
    ] as const);
    this.#chooseDiskFaults();
  }

  #chooseDiskFaults(): void {
    const { random, seed } = this.#world;
    if (seed % DISK_FAULTS_EVERY !== 3) return;
    const kind = random.pick(['slow', 'write', 'sync'] as const);
    this.#shared.diskFaults = kind;
    const { faults } = this.#machine.disk;
    faults.writeShort = random.pick([0, 0.01]);
    if (faults.writeShort > 0 && kind === 'slow') this.#shared.diskFaults = 'write';
    faults.failureCode = random.pick(['EIO', 'ENOSPC'] as const);
    if (kind === 'slow') faults.syncUs = [20_000, 400_000];
    // A partition whose folder can't be made is not tried again before a restart, so only records fail.
    faults.writePaths = /\/topic-\d+-\d+\/\d+\.log$/;
    if (kind === 'write') faults.writeFails = 0.02;
    if (kind === 'sync') faults.syncFails = 0.003;
  }

  /**
   * A node gives up when its disk fails. The machine is booted anew then, not only the process: what a failed fdatasync
   * left in the page cache looks like written. The disk is well for a while, so that it can start.
   */
  #fatal(error: unknown): void {
    // A start that is cut short by it fails, too.
    if (this.#dying !== undefined && this.#machine.process === this.#dying) return;
    const { faults } = this.#machine.disk;
    const text = String(error);
    const byDisk =
      faults.writeFails + faults.syncFails + faults.writeShort > 0 &&
      /EIO|ENOSPC|bytes (were )?written/.test(text);
    if (!byDisk) {
      this.#fail(error);
      return;
    }
    const { process } = this.#machine;
    const { running } = this.#node;
    // Its leaderships go while it stops.
    if (running !== undefined) this.#remember(running.image);
    this.#dying = process;
    this.#statesThen = new Map(this.#statesNow());
    this.#shared.dying = true;
    const ill = { ...faults };
    Object.assign(faults, { writeFails: 0, syncFails: 0, writeShort: 0 });
    this.#shared.counts['disk failure'] = (this.#shared.counts['disk failure'] ?? 0) + 1;
    this.#world.after(this.#world.random.between(0, 200), () => {
      if (this.#machine.process === process) this.#down('power');
    });
    this.#world.after(this.#world.random.between(3000, 6000), () => {
      if (!this.#healed) Object.assign(faults, ill);
    });
  }

  async #client(name: string): Promise<void> {
    const world = this.#world;
    const { network } = world.machine(name).boot().ports;
    const client = new KafkaClient(network, { host: HOST, port: PORT }, name);
    const random = world.random.fork();
    const workload = new Workload(world, client, random, this.#shared, name);
    await runScript(world, random, workload.actions(), {
      untilMs: this.#pace.ms,
      pauseMs: [0, this.#pace.pauseMs],
    });
  }

  async #churnClient(model: ChurnModel): Promise<void> {
    const world = this.#world;
    const churn = this.#newChurn('churner', model);
    // The same number of requests at every pace.
    const pauseMs = [0, Math.round(this.#pace.ms / 60)] as const;
    await runScript(world, world.random.fork(), churn.actions(), { untilMs: this.#pace.ms, pauseMs });
  }

  #newChurn(name: string, model: ChurnModel): Churn {
    const world = this.#world;
    const { network } = world.machine(name).boot().ports;
    const client = new KafkaClient(network, { host: HOST, port: PORT }, name);
    return new Churn(world, client, world.random.fork(), this.#shared, model);
  }

  /** Crashes and restarts for as long as clients are at work. */
  #planCrash(): void {
    const { random } = this.#world;
    this.#world.after(random.between(500, this.#pace.crashMs), () => {
      if (this.#world.nowMs >= this.#pace.ms || this.#failure !== undefined) return;
      this.#crash();
      this.#planCrash();
    });
  }

  /** One dir after the other fails for a while; then the machine is booted with a disk that is well. */
  #planFailingDir(dirs: SeveralDirs): void {
    const { random } = this.#world;
    const { ms, crashMs } = this.#pace;
    this.#world.after(random.between(500, crashMs * 2), () => {
      if (this.#world.nowMs >= ms || this.#failure !== undefined) return;
      const { running } = this.#node;
      if (running !== undefined) dirs.fail(running.image, this.#shared.topics);
      this.#world.after(random.between(100, crashMs), () => {
        if (!this.#healed) this.#heal(dirs);
        this.#planFailingDir(dirs);
      });
    });
  }

  #heal(dirs: SeveralDirs): void {
    if (dirs.failed === undefined) return;
    dirs.heal();
    this.#shared.counts['failed dir'] = (this.#shared.counts['failed dir'] ?? 0) + 1;
    this.#down('power');
  }

  #crash(): void {
    const { random } = this.#world;
    const how = random.pick(['kill', 'power', 'operation', 'operation', 'jump'] as const);
    if (how === 'jump') {
      this.#machine.clockOffsetMs += random.between(-100_000, 100_000);
    } else if (how === 'operation') {
      this.#machine.disk.crashInstead(random.below(60), () => this.#down('power'));
    } else {
      this.#down(how);
    }
  }

  /** The node goes down, and comes again after a while; sometimes it goes down while it starts, too. */
  #down(how: 'kill' | 'power'): void {
    if (this.#machine.process === undefined) return;
    if (this.#machine.process === this.#dying) {
      // After a failed fdatasync the machine is booted anew, see `#fatal`. Clients went on meanwhile.
      how = 'power';
      const stable = new Set(this.#before?.stable);
      for (const [name, state] of this.#statesNow()) {
        if (this.#statesThen.get(name) !== state) stable.delete(name);
      }
      if (this.#before !== undefined) this.#before = { ...this.#before, stable };
    }
    const { random } = this.#world;
    const running = this.#node.running;
    if (running !== undefined && this.#machine.process !== this.#dying) this.#remember(running.image);
    if (how === 'power') {
      this.#shared.powerLosses++;
      for (const topic of this.#shared.topics) {
        for (const partition of topic.partitions) {
          partition.refused.clear();
          if (!topic.flushed) partition.forget();
        }
      }
    }
    this.#node.crash(how, random.chance(0.8) ? 'tear' : 'forget');
    if (how === 'power') this.#shared.dirs?.lostPower(this.#shared.topics);
    this.#node.startLater(random.between(10, 2000), (error) => this.#fatal(error));
    if (random.chance(0.2)) {
      this.#machine.disk.crashInstead(random.below(100), () => this.#down('power'));
    }
  }

  #statesNow(): (readonly [string, string])[] {
    const states = this.#shared.topics.map(
      ({ name, state, generation }) => [name, `${state}/${generation}`] as const,
    );
    return [...states, ...(this.#churn?.statesNow() ?? [])];
  }

  #remember(image: MetadataImage): void {
    const stable = this.#shared.topics.filter(({ state }) => state === 'there' || state === 'absent');
    const names = [...stable.map(({ name }) => name), ...(this.#churn?.stable() ?? [])];
    const topics = describeTopics(image, this.#shared.dirs === undefined);
    this.#before = { topics, stable: new Set(names) };
  }

  /** What is replayed after a start equals what was before. */
  #compareImage(image: MetadataImage): void {
    if (this.#before === undefined) return;
    const now = describeTopics(image, this.#shared.dirs === undefined);
    for (const name of this.#before.stable) {
      const [before, after] = [this.#before.topics.get(name), now.get(name)];
      promised(
        before === after,
        () => `the metadata of ${name} was ${before}, after the start it is ${after}`,
      );
    }
  }

  /** Everything heals; one restart in order; then all that was promised has to be there. */
  async #verify(): Promise<number> {
    const world = this.#world;
    world.network.faults = { latencyUs: [30, 400], slowPacket: 0, lostConnection: 0, split: 0.3 };
    const { disk } = this.#machine;
    disk.crashInstead(Number.POSITIVE_INFINITY, () => {});
    this.#healed = true;
    Object.assign(disk.faults, { writeFails: 0, syncFails: 0, writeShort: 0 });
    if (this.#shared.dirs !== undefined) this.#heal(this.#shared.dirs);
    await world.until(() => this.#node.running !== undefined || this.#failure !== undefined, START_LIMIT_MS);
    if (this.#failure !== undefined) throw this.#failure;
    const image = (this.#node.running as BrokerNode).image;
    this.#remember(image);
    const features = describeFeatures(image);
    await this.#node.stop();
    const restarted = (await this.#node.start()) as BrokerNode;
    promised(
      describeFeatures(restarted.image) === features,
      () => `features were ${features}, after the restart they are ${describeFeatures(restarted.image)}`,
    );
    const { network } = world.machine('verifier').boot().ports;
    const client = new KafkaClient(network, { host: HOST, port: PORT }, 'verifier');
    const workload = new Workload(world, client, world.random.fork(), this.#shared, 'verifier');
    const records = await world.settle(this.#verifyAll(workload));
    const { dirs, topics } = this.#shared;
    if (dirs !== undefined) await world.settle(dirs.verify(world, client, () => restarted.image, topics));
    if (this.#churn !== undefined) {
      await world.settle(this.#newChurn('churn-verifier', this.#churn).verify());
      this.#checkSnapshots();
    }
    if (this.#failure !== undefined) throw this.#failure;
    await this.#node.stop();
    return records;
  }

  /** Snapshots were taken: beside the one at offset 0 that a format makes. */
  #checkSnapshots(): void {
    const { storage } = (this.#machine.process as SimProcess).ports;
    const names = storage
      .list('/data/__cluster_metadata-0')
      .map(({ name }) => name)
      .filter((name) => /^\d*[1-9]\d*-\d+\.checkpoint$/.test(name));
    this.#shared.counts['snapshots at the end'] = names.length;
    promised(names.length > 0, () => 'no snapshot was taken');
  }

  async #verifyAll(workload: Workload): Promise<number> {
    promised(await workload.connect(), () => 'the node can not be reached');
    await workload.verifyTopics();
    let records = 0;
    for (const topic of this.#shared.topics) {
      if (topic.state !== 'there') continue;
      for (const index of topic.partitions.keys()) records += await workload.verify(topic, index);
    }
    return records;
  }

  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
  }
}

/** Snapshots often, and room for few of them. */
function snapshotSettings(random: SeededRandom): Readonly<Record<string, string>> {
  return {
    'metadata.log.max.record.bytes.between.snapshots': String(random.pick([500, 5000, 50_000])),
    'internal.metadata.log.segment.bytes': String(random.pick([10_000, 100_000])),
    'metadata.max.retention.bytes': String(random.pick([10_000, 200_000])),
    'internal.metadata.delete.delay.millis': '1000',
  };
}

/**
 * What must be the same after a replay; epochs grow with each start. Replicas that move, or whose dir fails, change where they
 * are and who leads them meanwhile.
 */
function describeTopics(image: MetadataImage, stays: boolean): ReadonlyMap<string, string> {
  const topics = new Map<string, string>();
  const configs = new Map<string, string>();
  for (const { name, values } of image.configResources()) configs.set(name, [...values].sort().join(' '));
  for (const { name, id, partitions } of image.topicsByName.values()) {
    const parts = partitions.map(({ replicas, isr, leader, directories }) =>
      [replicas, ...(stays ? [isr, leader, directories] : [])].join('/'),
    );
    topics.set(name, `${id} ${parts.join(' ')} ${configs.get(name) ?? ''}`);
  }
  return topics;
}

function describeFeatures({ features, nextProducerId }: MetadataImage): string {
  return `${features.metadataVersion} ${[...features.finalized].sort().join(' ')} ${nextProducerId}`;
}
