import type { Uuid } from '../../src/base/uuid.ts';
import type { MetadataImage } from '../../src/metadata/image.ts';
import { META_PROPERTIES, parseMetaProperties } from '../../src/metadata/meta-properties.ts';
import { defaults } from '../../src/protocol/codec.ts';
import { type ErrorCode, Errors, errorName } from '../../src/protocol/errors.ts';
import {
  AlterReplicaLogDirsRequest,
  AlterReplicaLogDirsResponse,
} from '../../src/protocol/messages/alter-replica-log-dirs.ts';
import {
  DescribeLogDirsRequest,
  DescribeLogDirsResponse,
} from '../../src/protocol/messages/describe-log-dirs.ts';
import type { KafkaClient } from './kafka-client.ts';
import { promised, type TopicModel } from './model.ts';
import type { SeededRandom } from './random.ts';
import type { Machine, World } from './world.ts';

/** The first has the metadata log, without which a node ends; the others may fail. */
const DIRS = ['/data', '/b', '/c'] as const;
const FOLDER = /^(\/[^/]+)\/(topic-\d+-\d+)\//;
/** A move that failed is tried again after 15 s. */
const MOVES_LIMIT_MS = 60_000;
const LOOK_MS = 500;

const alterApi = { request: AlterReplicaLogDirsRequest, response: AlterReplicaLogDirsResponse };
const describeApi = { request: DescribeLogDirsRequest, response: DescribeLogDirsResponse };

interface Replica {
  readonly dir: string;
  readonly isFuture: boolean;
}

/** The log dirs of a node with several: which of them has failed, and whose partitions must be served all the same. */
export class SeveralDirs {
  readonly setting = DIRS.join();
  readonly #machine: Machine;
  readonly #random: SeededRandom;
  /** Partitions that lie in no dir that has failed, also by the metadata, with the generation of their topic. */
  #spared: ReadonlyMap<string, number> = new Map();

  constructor(machine: Machine, random: SeededRandom) {
    this.#machine = machine;
    this.#random = random;
  }

  get failed(): string | undefined {
    return this.#machine.disk.deadDir;
  }

  /** One of them answers nothing any more. */
  fail(image: MetadataImage, topics: readonly TopicModel[]): void {
    const failed = this.#random.pick(DIRS.slice(1));
    const ids = new Map(DIRS.map((dir) => [dir as string, this.#idOf(dir)]));
    const spared = new Map<string, number>();
    for (const [name, dir] of this.#folders()) {
      const topic = topics.find((one) => name.startsWith(`${one.name}-`));
      if (dir === failed || topic?.state !== 'there') continue;
      const [index] = name.split('-').slice(-1);
      const known = image.topicsByName.get(topic.name);
      const isSame = known?.id === topic.topicId;
      if (isSame && known.partitions[Number(index)]?.directories[0] === ids.get(dir))
        spared.set(name, topic.generation);
    }
    this.#spared = spared;
    this.#machine.disk.deadDir = failed;
  }

  /** The machine lost its power: folders may be gone in which nothing was synced for somebody, or have lost whose they are. */
  lostPower(topics: readonly TopicModel[]): void {
    const safe = new Set<string>();
    for (const { flushed, partitions } of topics) {
      for (const { name, acknowledged } of partitions) if (flushed && acknowledged.size > 0) safe.add(name);
    }
    this.#spared = new Map([...this.#spared].filter(([name]) => safe.has(name)));
  }

  /** The disk is another one with the same content. The node finds out with its next start. */
  heal(): void {
    this.#machine.disk.deadDir = undefined;
  }

  /** Whether a partition may be out of service while a dir has failed. */
  concerns({ name, generation }: TopicModel, partition: number): boolean {
    return this.#spared.get(`${name}-${partition}`) !== generation;
  }

  /** Has a replica go anywhere. */
  async move(client: KafkaClient, name: string, partition: number): Promise<ErrorCode> {
    const path = this.#random.pick(DIRS);
    const request = defaults(AlterReplicaLogDirsRequest, {
      dirs: [{ path, topics: [{ name, partitions: [partition] }] }],
    });
    const { results } = await client.ask(alterApi, 2, request);
    return results[0]!.partitions[0]!.errorCode as ErrorCode;
  }

  /**
   * Every replica lies in one dir, once the moves are over, and that is the one which the metadata names: dirs and ids
   * belong together one by one.
   */
  async verify(
    world: World,
    client: KafkaClient,
    image: () => MetadataImage,
    topics: readonly TopicModel[],
  ): Promise<void> {
    const untilMs = world.nowMs + MOVES_LIMIT_MS;
    for (;;) {
      const wrong = this.#wrong(await this.#replicas(client), image(), topics);
      if (wrong === undefined) return;
      promised(world.nowMs < untilMs, () => wrong);
      await world.sleep(LOOK_MS);
    }
  }

  #wrong(
    replicas: ReadonlyMap<string, readonly Replica[]>,
    image: MetadataImage,
    topics: readonly TopicModel[],
  ): string | undefined {
    for (const topic of topics) {
      if (topic.state !== 'there') continue;
      const known = image.topicsByName.get(topic.name);
      for (const index of topic.partitions.keys()) {
        const name = `${topic.name}-${index}`;
        const found = replicas.get(name) ?? [];
        const [one] = found;
        if (one === undefined || found.length > 1 || one.isFuture) {
          const text = found.map(({ dir, isFuture }) => (isFuture ? `${dir} (future)` : dir)).join(' and ');
          return `${name} lies in ${text || 'no log dir'}`;
        }
        const directory = known?.partitions[index]?.directories[0];
        if (directory !== this.#idOf(one.dir))
          return `${name} lies in ${one.dir}, and the metadata has ${directory}`;
      }
    }
    return undefined;
  }

  async #replicas(client: KafkaClient): Promise<ReadonlyMap<string, readonly Replica[]>> {
    const { results } = await client.ask(describeApi, 4, defaults(DescribeLogDirsRequest, { topics: null }));
    const replicas = new Map<string, Replica[]>();
    for (const { errorCode, logDir, topics } of results) {
      promised(errorCode === Errors.NONE, () => `${logDir} is ${errorName(errorCode as ErrorCode)}`);
      for (const { name, partitions } of topics) {
        for (const { partitionIndex, isFutureKey } of partitions) {
          const key = `${name}-${partitionIndex}`;
          replicas.set(key, [...(replicas.get(key) ?? []), { dir: logDir, isFuture: isFutureKey }]);
        }
      }
    }
    return replicas;
  }

  /** By name of the partition, where its folder is. */
  #folders(): ReadonlyMap<string, string> {
    const folders = new Map<string, string>();
    for (const path of this.#machine.disk.files().keys()) {
      const [, dir, name] = FOLDER.exec(path) ?? [];
      if (dir !== undefined && name !== undefined) folders.set(name, dir);
    }
    return folders;
  }

  /** Behind the node's back. */
  #idOf(dir: string): Uuid | undefined {
    const path = `${dir}/${META_PROPERTIES}`;
    const file = this.#machine.disk.tree.file(path);
    if (file === undefined) return undefined;
    const bytes = Buffer.alloc(file.size);
    file.read(bytes, 0);
    return parseMetaProperties(bytes.toString('utf8'), path).directoryId;
  }
}
