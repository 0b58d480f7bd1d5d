import type { Random } from '../base/ports.ts';

/** The names that Apache Kafka gives to files and folders of a log dir. */
export const LOG_SUFFIX = '.log';
export const INDEX_SUFFIX = '.index';
export const TIME_INDEX_SUFFIX = '.timeindex';
export const TXN_INDEX_SUFFIX = '.txnindex';
export const SNAPSHOT_SUFFIX = '.snapshot';
export const DELETED_SUFFIX = '.deleted';
export const CLEANED_SUFFIX = '.cleaned';
export const SWAP_SUFFIX = '.swap';

export const LEADER_EPOCH_CHECKPOINT = 'leader-epoch-checkpoint';
export const PARTITION_METADATA = 'partition.metadata';
export const RECOVERY_POINT_CHECKPOINT = 'recovery-point-offset-checkpoint';
export const LOG_START_CHECKPOINT = 'log-start-offset-checkpoint';
export const HIGH_WATERMARK_CHECKPOINT = 'replication-offset-checkpoint';
export const CLEANER_CHECKPOINT = 'cleaner-offset-checkpoint';
export const CLEAN_SHUTDOWN_FILE = '.kafka_cleanshutdown';

const DELETE_DIR = /^(.+)-(\d+)\.[^.]+-delete$/;
const FUTURE_DIR = /^(.+)-(\d+)\.[^.]+-future$/;
const STRAY_DIR = /^(.+)-(\d+)\.[^.]+-stray$/;
const PARTITION_DIR = /^(.+)-(\d+)$/;
const OFFSET_DIGITS = 20;
const FILE_NAME_MAX = 255;

/** `00000000000000000042` for 42, so that names sort as offsets do. */
export function offsetName(offset: number): string {
  return String(offset).padStart(OFFSET_DIGITS, '0');
}

/** The offset that a segment file name begins with, or undefined for other files. */
export function offsetOf(name: string): number | undefined {
  const digits = /^(\d{20})\./.exec(name)?.[1];
  const offset = digits === undefined ? Number.NaN : Number(digits);
  return Number.isSafeInteger(offset) ? offset : undefined;
}

export type FolderKind = 'partition' | 'delete' | 'future' | 'stray';

export interface PartitionFolder {
  readonly kind: FolderKind;
  readonly topic: string;
  readonly partition: number;
}

/** What a folder in a log dir is, told by its name; topics may have dashes, the last one counts. Undefined: not ours. */
export function parseFolder(name: string): PartitionFolder | undefined {
  const kinds: readonly (readonly [FolderKind, RegExp])[] = [
    ['delete', DELETE_DIR],
    ['future', FUTURE_DIR],
    ['stray', STRAY_DIR],
    ['partition', PARTITION_DIR],
  ];
  for (const [kind, pattern] of kinds) {
    const found = pattern.exec(name);
    if (found === null) continue;
    const partition = Number(found[2]);
    if (partition > 0x7fffffff) return undefined;
    return { kind, topic: found[1] ?? '', partition };
  }
  return undefined;
}

export function partitionFolder(topic: string, partition: number): string {
  return `${topic}-${partition}`;
}

/** `topic-0.<32 hex digits>-delete`, the topic cut so that the name fits a file system. */
export function deleteFolder(topic: string, partition: number, random: Random): string {
  const suffix = `-${partition}.${randomHex(random)}-delete`;
  return topic.slice(0, FILE_NAME_MAX - suffix.length) + suffix;
}

/** Whether a topic's name leaves room for the suffix of `futureFolder`, which cuts nothing. */
export function fitsFutureFolder(topic: string, partition: number): boolean {
  return `${topic}-${partition}.-future`.length + 32 <= FILE_NAME_MAX;
}

/** `topic-0.<32 hex digits>-future`: a copy that is to take a partition's place. */
export function futureFolder(topic: string, partition: number, random: Random): string {
  return `${topic}-${partition}.${randomHex(random)}-future`;
}

function randomHex(random: Random): string {
  const id = new Uint8Array(16);
  random.fill(id);
  return Buffer.from(id).toString('hex');
}
