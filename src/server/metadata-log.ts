import type { Ports } from '../base/ports.ts';
import { METADATA_TOPIC_ID } from '../base/uuid.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import { logConfigOf } from '../config/log-config.ts';
import { openLog, type PartitionLog, sharedLogState } from '../log/index.ts';
import type { ReplicatedLog } from '../raft/ports.ts';

/** The metadata log of raft in a partition's folder. */
export class PartitionMetadataLog implements ReplicatedLog {
  readonly #log: PartitionLog;

  constructor(log: PartitionLog) {
    this.#log = log;
  }

  get startOffset(): number {
    return this.#log.logStartOffset;
  }

  get endOffset(): number {
    return this.#log.logEndOffset;
  }

  get lastEpoch(): number {
    return this.#log.latestEpoch ?? 0;
  }

  get sizeInBytes(): number {
    return this.#log.sizeInBytes;
  }

  append(batch: Buffer, epoch: number, done: (error?: Error) => void): void {
    try {
      this.#log.appendAsLeader(batch, epoch, { origin: 'raft', done });
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
    }
  }

  flush(): Promise<void> {
    return this.#log.flush();
  }

  read(from: number, maxBytes: number): Uint8Array | Promise<Uint8Array> {
    const read = this.#log.read(from, maxBytes, { minOneMessage: true, upTo: this.#log.logEndOffset });
    if ('pending' in read) return read.pending.then(copied);
    return copied(read);
  }

  truncateTo(endOffset: number): void {
    this.#log.truncateTo(endOffset);
  }

  resetTo(offset: number): void {
    this.#log.truncateFully(offset);
  }

  /** Nothing is read below a snapshot any more; whole segments go. */
  deleteBefore(offset: number): void {
    this.#log.updateHighWatermark(this.#log.logEndOffset);
    this.#log.deleteRecordsBefore(offset);
    this.#log.deleteOldSegments();
  }
}

function copied(read: { readonly bytes: readonly Uint8Array[]; release(): void }): Uint8Array {
  const bytes = Buffer.concat(read.bytes);
  read.release();
  return bytes;
}

/** Beside those of the partitions: the segments between two snapshots. */
const OPEN_FILES_MAX = 16;

export interface MetadataLogInput {
  readonly ports: Ports;
  /** `<metadata.log.dir>/__cluster_metadata-0`. */
  readonly dir: string;
  readonly config: BrokerConfig;
  /** The log dir was closed in order. */
  readonly cleanShutdown: boolean;
}

/** Opens the folder of the metadata log. Only snapshots make it shorter, so it knows no retention. */
export function openMetadataLog({ ports, dir, config, cleanShutdown }: MetadataLogInput): PartitionLog {
  const segmentBytes = config.get('internal.metadata.log.segment.bytes');
  const overrides = new Map([
    ['cleanup.policy', 'delete'],
    ['retention.ms', '-1'],
    ['retention.bytes', '-1'],
    ['segment.bytes', String(config.get('metadata.log.segment.bytes'))],
    ['segment.ms', String(config.get('metadata.log.segment.ms'))],
    ['segment.jitter.ms', '0'],
    ['file.delete.delay.ms', String(config.get('internal.metadata.delete.delay.millis'))],
    ['max.message.bytes', String(config.get('internal.metadata.max.batch.size.in.bytes'))],
    ['message.timestamp.type', 'CreateTime'],
    ['compression.type', 'producer'],
  ]);
  if (segmentBytes !== null) overrides.set('internal.segment.bytes', String(segmentBytes));
  return openLog({
    dir,
    topic: '__cluster_metadata',
    partition: 0,
    topicId: METADATA_TOPIC_ID,
    config: logConfigOf(config, overrides),
    ports,
    shared: sharedLogState({
      storage: ports.storage,
      random: ports.random,
      pool: ports.framePool,
      options: { openFilesMax: OPEN_FILES_MAX },
    }),
    cleanShutdown,
    recoveryPoint: 0,
  });
}
