import { decode, defaults, encode } from '../../protocol/codec.ts';
import { GroupMetadataKey, GroupMetadataValue } from '../../protocol/group-records/group-metadata.ts';
import {
  LegacyOffsetCommitKey,
  LegacyOffsetCommitValue,
} from '../../protocol/group-records/legacy-offset-commit.ts';
import { OffsetCommitKey, OffsetCommitValue } from '../../protocol/group-records/offset-commit.ts';
import type { MessageSchema } from '../../protocol/schema.ts';
import { Writer } from '../../protocol/writer.ts';
import type { RecordBytes, RecordSerde } from '../runtime/ports.ts';
import {
  type ConsumerGroupRecord,
  decodeConsumerGroupRecord,
  encodeConsumerGroupRecord,
} from './consumer-records.ts';

/** A record of `__consumer_offsets`; a value of null is a tombstone. */
export type GroupRecord =
  | ConsumerGroupRecord
  | {
      readonly type: 'GroupMetadata';
      readonly key: GroupMetadataKey;
      readonly version: number;
      readonly value: GroupMetadataValue | null;
    }
  | {
      readonly type: 'OffsetCommit';
      readonly key: OffsetCommitKey;
      readonly version: number;
      readonly value: OffsetCommitValue | null;
    };

/** Static members (KIP-345) without tagged fields: what Apache Kafka writes too. */
const GROUP_METADATA_VERSION = 3;
/** The last one that has an expiry of its own. */
const OFFSET_WITH_EXPIRY_VERSION = 1;
/** With the topic id as a tagged field (KIP-848). */
const OFFSET_VERSION = 4;
const KEY_VERSION = 0;
const VERSION_BYTES = 2;

export function groupMetadataRecord(group: string, value: GroupMetadataValue): GroupRecord {
  return { type: 'GroupMetadata', key: { group }, version: GROUP_METADATA_VERSION, value };
}

export function groupTombstone(group: string): GroupRecord {
  return { type: 'GroupMetadata', key: { group }, version: GROUP_METADATA_VERSION, value: null };
}

export function offsetCommitRecord(
  group: string,
  topic: string,
  partition: number,
  value: OffsetCommitValue,
): GroupRecord {
  const version = value.expireTimestamp === -1n ? OFFSET_VERSION : OFFSET_WITH_EXPIRY_VERSION;
  return { type: 'OffsetCommit', key: { group, topic, partition }, version, value };
}

export function offsetTombstone(group: string, topic: string, partition: number): GroupRecord {
  return { type: 'OffsetCommit', key: { group, topic, partition }, version: OFFSET_VERSION, value: null };
}

/** Records as Apache Kafka has them: the type before the key, the version before the value. */
export class GroupRecordSerde implements RecordSerde<GroupRecord> {
  readonly #key = new Writer();
  readonly #value = new Writer();

  encode(record: GroupRecord): RecordBytes {
    this.#key.release();
    this.#value.release();
    const key = this.#key;
    const value = this.#value;
    if (record.type === 'OffsetCommit') {
      write(key, OffsetCommitKey, OffsetCommitKey.apiKey, KEY_VERSION, record.key);
      if (record.value !== null)
        write(value, OffsetCommitValue, record.version, record.version, record.value);
    } else if (record.type === 'GroupMetadata') {
      write(key, GroupMetadataKey, GroupMetadataKey.apiKey, KEY_VERSION, record.key);
      if (record.value !== null)
        write(value, GroupMetadataValue, record.version, record.version, record.value);
    } else {
      encodeConsumerGroupRecord(record, key, value);
    }
    return { key, value: record.value === null ? null : value };
  }

  decode(key: Uint8Array, value: Uint8Array | null): GroupRecord | undefined {
    if (key.length < VERSION_BYTES) return undefined;
    const type = int16(key);
    if (type === OffsetCommitKey.apiKey) {
      return offsetCommit(decode(OffsetCommitKey, KEY_VERSION, key, VERSION_BYTES), value);
    }
    if (type === LegacyOffsetCommitKey.apiKey) return legacyOffsetCommit(key, value);
    if (type !== GroupMetadataKey.apiKey) return decodeConsumerGroupRecord(type, key, value);
    return {
      type: 'GroupMetadata',
      key: decode(GroupMetadataKey, KEY_VERSION, key, VERSION_BYTES),
      version: value === null ? GROUP_METADATA_VERSION : int16(value),
      // Subscriptions and assignments are views: a copy outlives the batch.
      value: value === null ? null : decodeValue(GroupMetadataValue, Uint8Array.prototype.slice.call(value)),
    };
  }
}

function write<T>(writer: Writer, schema: MessageSchema<T>, head: number, version: number, message: T): void {
  writer.int16(head);
  encode(schema, version, message, writer);
}

function offsetCommit(key: OffsetCommitKey, value: Uint8Array | null): GroupRecord {
  if (value === null) return offsetTombstone(key.group, key.topic, key.partition);
  return { type: 'OffsetCommit', key, version: int16(value), value: decodeValue(OffsetCommitValue, value) };
}

/** The oldest form, read as the newest. */
function legacyOffsetCommit(bytes: Uint8Array, value: Uint8Array | null): GroupRecord {
  const key = decode(LegacyOffsetCommitKey, KEY_VERSION, bytes, VERSION_BYTES);
  if (value === null) return offsetTombstone(key.group, key.topic, key.partition);
  const { offset, metadata, commitTimestamp } = decodeValue(LegacyOffsetCommitValue, value);
  const current = defaults(OffsetCommitValue, { offset, metadata, commitTimestamp });
  return offsetCommitRecord(key.group, key.topic, key.partition, current);
}

function decodeValue<T>(schema: MessageSchema<T>, value: Uint8Array): T {
  return decode(schema, int16(value), value, VERSION_BYTES);
}

function int16(bytes: Uint8Array): number {
  return ((bytes[0]! << 24) >> 16) | bytes[1]!;
}
