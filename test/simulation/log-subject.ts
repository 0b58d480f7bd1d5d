import { randomUuid, type Uuid } from '../../src/base/uuid.ts';
import { BrokerConfig } from '../../src/config/broker-config.ts';
import { type LogConfig, logConfigOf } from '../../src/config/log-config.ts';
import type { PartitionLog } from '../../src/log/log.ts';
import type { AppendOptions } from '../../src/log/types.ts';
import type { CompressionCodec } from '../../src/protocol/compression/index.ts';
import { Errors, ProtocolError } from '../../src/protocol/errors.ts';
import { BatchBuilder } from '../../src/protocol/record-batch/builder.ts';
import { endTxnMarkerBatch } from '../../src/protocol/record-batch/control.ts';
import { type Entry, LogModel, type LogView, TIMESTAMP_LAG_MS_MAX } from './log-model.ts';
import { ID_HEADER, markerId } from './log-reading.ts';
import type { SeededRandom } from './random.ts';

const KEYS = 10;
const CODECS: readonly CompressionCodec[] = ['none', 'none', 'gzip', 'snappy', 'lz4', 'zstd'];
/** Of producers without transactions, and with. */
const PLAIN_IDS = [1, 3] as const;
const TRANSACTIONAL_IDS = [11, 13] as const;

const broker = BrokerConfig.parse({ profile: 'dev' });

interface Spec {
  readonly id: string;
  readonly key: string;
  readonly value: string | null;
  readonly timestampMs: number;
}

interface Producer {
  readonly id: number;
  readonly epoch: number;
  readonly sequence: number;
  readonly isTransactional: boolean;
}

/** One log, what is done to it, and what is known of it. Everything throws ProtocolError where the log does. */
export class LogSubject {
  readonly model: LogModel;
  topicId: Uuid;
  config: LogConfig;
  log: PartitionLog | undefined;
  readonly #random: SeededRandom;
  readonly #nowMs: () => number;
  readonly #disk: { readonly troubles: number };
  /** Of the disk, before this process. */
  #oldTroubles = 0;
  /** What an append failed with although the disk has done all that it was asked for. */
  groundless: Error | undefined;
  #overrides: ReadonlyMap<string, string>;
  /** A cut is under way, or the process ended in the middle of one. */
  #isHalfCut = false;
  #isDown = false;
  /** Next sequence numbers, of producers without transactions. */
  readonly #sequences = new Map<number, number>();
  #nextId = 0;

  constructor(
    name: string,
    policy: string,
    random: SeededRandom,
    nowMs: () => number,
    disk: { readonly troubles: number },
  ) {
    this.#random = random;
    this.#nowMs = nowMs;
    this.#disk = disk;
    this.model = new LogModel(name);
    this.topicId = randomUuid(random);
    this.#overrides = new Map([
      ['cleanup.policy', policy],
      ['internal.segment.bytes', String(random.between(300, 3000))],
      ['min.cleanable.dirty.ratio', '0.01'],
      ['delete.retention.ms', String(random.pick([0, 2000, 60_000]))],
      ['retention.ms', String(random.pick([-1, 600_000]))],
      ['file.delete.delay.ms', String(random.pick([0, 1000]))],
      ['flush.messages', random.chance(0.5) ? '1' : '1000000'],
      ['index.interval.bytes', String(random.pick([0, 100, 4096]))],
    ]);
    this.config = this.#newConfig();
  }

  /** A process begins that does not know what failed before. */
  booted(): void {
    this.#oldTroubles = this.#disk.troubles;
  }

  opened(log: PartitionLog): void {
    this.log = log;
    this.#isDown = false;
    this.#sequences.clear();
  }

  /** What the log says from here on counts for nothing. */
  crashed(): void {
    this.noteRecoveryPoint();
    this.#isDown = true;
  }

  restarted(view: LogView, lostPower: boolean): void {
    this.model.restarted(view, lostPower, this.#isHalfCut);
    this.#isHalfCut = false;
  }

  recreated(): void {
    this.topicId = randomUuid(this.#random);
    this.model.recreated();
    this.#isHalfCut = false;
  }

  /** What must be the same after a stop in order and a start. */
  stateAtStop(): string {
    const { logStartOffset, logEndOffset } = this.log!;
    const producers = this.log!.activeProducers().map(
      ({ producerId, producerEpoch, lastSequence, currentTxnStartOffset }) =>
        [producerId, producerEpoch, lastSequence, currentTxnStartOffset].join('/'),
    );
    return `${logStartOffset} to ${logEndOffset}, ${producers.sort().join(' ')}`;
  }

  /** Its recovery point is a promise too. */
  noteRecoveryPoint(): void {
    const { log } = this;
    if (log === undefined || log.isOffline || log.isClosed || this.#isHalfCut || this.#isDown) return;
    this.model.flushed(Math.min(log.recoveryPoint, this.model.acknowledgedEnd));
  }

  append(): void {
    const id = this.#random.chance(0.3) ? this.#random.between(...PLAIN_IDS) : undefined;
    const specs = this.#newSpecs(6);
    if (id === undefined) {
      this.#put(specs, undefined);
      return;
    }
    const known = this.#known(id);
    const sequence = this.#sequences.get(id);
    // One that does not know where it stands does what a restarted producer does: it gets a new epoch.
    const epoch = sequence === undefined ? (known?.producerEpoch ?? -1) + 1 : (known?.producerEpoch ?? 0);
    this.#put(specs, { id, epoch, sequence: sequence ?? 0, isTransactional: false });
  }

  transaction(): void {
    const id = this.#random.between(...TRANSACTIONAL_IDS);
    const known = this.#known(id);
    const epoch = known?.producerEpoch ?? 0;
    if (this.model.openTransactions().has(id) && this.#random.chance(0.6)) {
      this.#putMarker(id, epoch, this.#random.chance(0.5));
      return;
    }
    // A marker of the same epoch does not begin the sequence anew.
    const sequence = known === undefined ? 0 : known.lastSequence + 1;
    this.#put(this.#newSpecs(4), { id, epoch, sequence, isTransactional: true });
  }

  moveHighWatermark(): void {
    const { highWatermark, logEndOffset } = this.log!;
    this.log!.updateHighWatermark(this.#random.between(highWatermark, logEndOffset));
  }

  flush(): void {
    const { log, model } = this;
    const { cutCount } = log!;
    const end = model.acknowledgedEnd;
    log!.flush().then(
      () => {
        if (this.log === log && log!.cutCount === cutCount && !log!.isOffline && !this.#isDown)
          model.flushed(end);
      },
      () => undefined,
    );
  }

  deleteRecords(): void {
    const { log, model } = this;
    if (!log!.config.cleanupPolicy.includes('delete')) return;
    const offset = this.#random.between(log!.logStartOffset, log!.highWatermark);
    log!.deleteRecordsBefore(offset);
    model.deletedEnd = Math.max(model.deletedEnd, offset);
  }

  changeSettings(): void {
    const random = this.#random;
    this.#overrides = new Map([
      ...this.#overrides,
      ['delete.retention.ms', String(random.pick([0, 2000, 60_000]))],
      ['retention.ms', String(random.pick([-1, 5000, 600_000]))],
      ['retention.bytes', String(random.pick([-1, -1, -1, 2000]))],
      ['min.compaction.lag.ms', String(random.pick([0, 0, 1500]))],
      ['segment.ms', String(random.pick([3000, 604_800_000]))],
      ['compression.type', random.pick(['producer', 'producer', 'lz4'])],
      ['flush.messages', random.pick(['1', '3', '1000000'])],
    ]);
    if (this.#overrides.get('cleanup.policy') !== 'compact') {
      const before = this.#overrides.get('cleanup.policy')!;
      const policy =
        before === 'delete' ? before : random.pick(['compact,delete', 'compact,delete', 'delete']);
      this.#overrides = new Map([...this.#overrides, ['cleanup.policy', policy]]);
    }
    this.config = this.#newConfig();
    this.log!.updateConfig(this.config);
  }

  /** Tells the model before the log, for what comes of it is not known if the process ends in the middle. */
  cutting(tell: () => void, cut: () => void): void {
    this.#isHalfCut = true;
    tell();
    this.#sequences.clear();
    try {
      cut();
      this.#isHalfCut = false;
    } finally {
      // Appends that waited were acknowledged, or failed, before the cut.
      tell();
    }
  }

  #newConfig(): LogConfig {
    const config = logConfigOf(broker, this.#overrides);
    const { model } = this;
    model.wasCompacted ||= config.cleanupPolicy.includes('compact');
    model.deleteRetentionMs = Math.min(model.deleteRetentionMs, config.deleteRetentionMs);
    if (config.cleanupPolicy.includes('delete')) {
      model.wasBounded ||= config.retentionBytes >= 0;
      if (config.retentionMs >= 0) model.retentionMs = Math.min(model.retentionMs, config.retentionMs);
    }
    return config;
  }

  #known(id: number) {
    return this.log!.activeProducers().find(({ producerId }) => producerId === BigInt(id));
  }

  #newSpecs(most: number): Spec[] {
    const nowMs = this.#nowMs();
    return Array.from({ length: this.#random.between(1, most) }, () => {
      const id = `v${this.#nextId++}`;
      return {
        id,
        key: `k${this.#random.below(KEYS)}`,
        value: this.#random.chance(0.15) ? null : id.padEnd(this.#random.between(6, 90), '.'),
        timestampMs: nowMs - this.#random.pick([0, this.#random.below(TIMESTAMP_LAG_MS_MAX)]),
      };
    });
  }

  #put(specs: readonly Spec[], producer: Producer | undefined): void {
    const builder = new BatchBuilder({
      compression: this.#random.pick(CODECS),
      ...(producer === undefined
        ? {}
        : {
            producerId: BigInt(producer.id),
            producerEpoch: producer.epoch,
            baseSequence: producer.sequence,
            isTransactional: producer.isTransactional,
          }),
    });
    for (const { id, key, value, timestampMs } of specs) {
      const bytes = value === null ? null : Buffer.from(value);
      const headers = [{ key: ID_HEADER, value: Buffer.from(id) }];
      builder.append({ timestamp: timestampMs, key: Buffer.from(key), value: bytes, headers });
    }
    const given = this.log!.assignedEndOffset;
    const entries = specs.map(({ id, key, value }, at) => ({
      offset: given + at,
      id,
      key,
      value,
      appendedMs: this.#nowMs(),
      producer:
        producer === undefined
          ? undefined
          : { id: producer.id, epoch: producer.epoch, sequence: producer.sequence + at },
      isTransactional: producer?.isTransactional ?? false,
      marker: undefined,
    }));
    this.#take(entries, builder.build(), 'client');
    if (producer !== undefined && !producer.isTransactional) {
      this.#sequences.set(producer.id, producer.sequence + specs.length);
    }
  }

  #putMarker(id: number, epoch: number, committed: boolean): void {
    const nowMs = this.#nowMs();
    const coordinatorEpoch = this.#nextId++;
    const bytes = endTxnMarkerBatch({
      committed,
      producerId: BigInt(id),
      producerEpoch: epoch,
      coordinatorEpoch,
      timestamp: BigInt(nowMs),
    });
    const entry: Entry = {
      offset: this.log!.assignedEndOffset,
      id: markerId(coordinatorEpoch),
      key: '',
      value: null,
      appendedMs: nowMs,
      producer: { id, epoch, sequence: -1 },
      isTransactional: true,
      marker: committed ? 'commit' : 'abort',
    };
    this.#take([entry], bytes, 'coordinator');
  }

  /** Notes the entries before the append, for its bytes may be there whatever becomes of the process. */
  #take(entries: readonly Entry[], batch: Buffer, origin: AppendOptions['origin']): void {
    const { log, model } = this;
    const given = entries[0]!.offset;
    const end = entries.at(-1)!.offset + 1;
    model.append(entries);
    const done = (error: Error | undefined) => {
      if (this.log !== log || this.#isDown) return;
      if (error === undefined) {
        model.acknowledgedEnd = Math.max(model.acknowledgedEnd, end);
        if (log!.config.flushMessages <= 1) model.flushed(end);
      } else if (!log!.isOffline) {
        // Where the log went offline the bytes may be there.
        this.#mayFail(error);
        model.cut(given);
        this.#sequences.clear();
      }
    };
    try {
      log!.appendAsLeader(batch, 0, { origin, done });
    } catch (error) {
      this.#mayFail(error);
      if (!log!.isOffline && !this.#isDown) model.cut(given);
      throw error;
    }
  }

  /** An append blames the disk only where that has failed since the start. */
  #mayFail(error: unknown): void {
    const isBlamed = error instanceof ProtocolError && error.code === Errors.KAFKA_STORAGE_ERROR;
    if (isBlamed && !this.#isDown && this.#disk.troubles === this.#oldTroubles) this.groundless ??= error;
  }
}
