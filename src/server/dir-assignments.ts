import type { Logger, Timer, Timers } from '../base/ports.ts';
import type { Uuid } from '../base/uuid.ts';
import { isReservedDirectory } from '../metadata/registrations.ts';
import { Errors, errorName } from '../protocol/errors.ts';
import type { ControllerChannel } from './controller-channel.ts';
import { assignReplicasToDirsApi } from './handlers/api-shapes.ts';

/** What comes within this time is told in one request. */
const COLLECTED_MS = 100;
const RETRY_MS = 500;
/** Partitions in one request; the others follow in the next. */
const PARTITIONS_MAX = 2_000;

export interface DirAssignmentsOptions {
  readonly brokerId: number;
  /** -1 before the broker is registered. */
  readonly brokerEpoch: () => number;
  /** Ids by path of the log dir. */
  readonly directoryIds: ReadonlyMap<string, Uuid>;
  /** The cluster's metadata.version knows directories. */
  readonly isSupported: () => boolean;
  readonly channel: () => ControllerChannel | undefined;
  readonly timers: Timers;
  readonly logger: Logger;
}

interface Assignment {
  readonly topicId: Uuid;
  readonly partition: number;
  readonly directory: Uuid;
}

/** Tells the controller in which log dir this broker keeps replicas, where the metadata says otherwise (KIP-858). */
export class DirAssignments {
  readonly #options: DirAssignmentsOptions;
  readonly #paths: ReadonlyMap<Uuid, string>;
  /** By partition: the newest counts. */
  readonly #waiting = new Map<string, Assignment>();
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: DirAssignmentsOptions) {
    this.#options = options;
    this.#paths = new Map(Array.from(options.directoryIds, ([path, id]) => [id, path]));
  }

  /**
   * The path of the log dir that the metadata has a replica in, or words for one of which this broker knows no path, as it
   * could not be read at the start; undefined where the metadata does not say.
   */
  dirOf(directory: Uuid | undefined): string | undefined {
    if (directory === undefined) return undefined;
    const path = this.#paths.get(directory);
    return path ?? (isReservedDirectory(directory) ? undefined : `the log dir with id ${directory}`);
  }

  /** A replica lies in the dir `path`, while the metadata has it in `known`. */
  placed(topicId: Uuid, partition: number, known: Uuid | undefined, path: string): void {
    const directory = this.#options.directoryIds.get(path);
    const key = `${topicId}-${partition}`;
    if (directory === undefined || directory === known) {
      this.#waiting.delete(key);
      return;
    }
    this.#waiting.set(key, { topicId, partition, directory });
    this.#plan(COLLECTED_MS);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #plan(delayMs: number): void {
    if (this.#stopped || this.#timer !== undefined || this.#waiting.size === 0) return;
    this.#timer = this.#options.timers.after(delayMs, () => {
      this.#send().then(
        (wasTold) => {
          this.#timer = undefined;
          this.#plan(wasTold ? 0 : RETRY_MS);
        },
        (error: unknown) => {
          this.#options.logger.warn('The controller was not told where replicas lie', {
            error: String(error),
          });
          this.#timer = undefined;
          this.#plan(RETRY_MS);
        },
      );
    });
  }

  /** False where it is to be tried again later. */
  async #send(): Promise<boolean> {
    const { brokerId, brokerEpoch, channel, isSupported, logger } = this.#options;
    const to = channel();
    if (brokerEpoch() < 0 || to === undefined || !isSupported()) return false;
    const told = [...this.#waiting].slice(0, PARTITIONS_MAX);
    const answer = await to.send(assignReplicasToDirsApi, 0, {
      brokerId,
      brokerEpoch: brokerEpoch(),
      directories: requestOf(told.map(([, assignment]) => assignment)),
    });
    if (answer.errorCode !== Errors.NONE) {
      logger.warn(`The controller refused to hear where replicas lie: ${errorName(answer.errorCode)}`);
      return false;
    }
    // What is wrong with a single one does not get better: its topic or replica is gone.
    for (const [key, assignment] of told) {
      if (this.#waiting.get(key) === assignment) this.#waiting.delete(key);
    }
    return true;
  }
}

function requestOf(assignments: readonly Assignment[]) {
  const byDirectory = new Map<Uuid, Map<Uuid, number[]>>();
  for (const { directory, topicId, partition } of assignments) {
    const topics = byDirectory.get(directory) ?? new Map<Uuid, number[]>();
    byDirectory.set(directory, topics);
    topics.set(topicId, [...(topics.get(topicId) ?? []), partition]);
  }
  return Array.from(byDirectory, ([id, topics]) => ({
    id,
    topics: Array.from(topics, ([topicId, partitions]) => ({
      topicId,
      partitions: partitions.map((partitionIndex) => ({ partitionIndex })),
    })),
  }));
}
