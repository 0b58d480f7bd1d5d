import { decode, encode } from '../../protocol/codec.ts';
import {
  ConsumerGroupCurrentMemberAssignmentKey,
  ConsumerGroupCurrentMemberAssignmentValue,
} from '../../protocol/group-records/consumer-group-current-member-assignment.ts';
import {
  ConsumerGroupMemberMetadataKey,
  ConsumerGroupMemberMetadataValue,
} from '../../protocol/group-records/consumer-group-member-metadata.ts';
import {
  ConsumerGroupMetadataKey,
  ConsumerGroupMetadataValue,
} from '../../protocol/group-records/consumer-group-metadata.ts';
import {
  ConsumerGroupPartitionMetadataKey,
  ConsumerGroupPartitionMetadataValue,
} from '../../protocol/group-records/consumer-group-partition-metadata.ts';
import {
  ConsumerGroupRegularExpressionKey,
  ConsumerGroupRegularExpressionValue,
} from '../../protocol/group-records/consumer-group-regular-expression.ts';
import {
  ConsumerGroupTargetAssignmentMemberKey,
  ConsumerGroupTargetAssignmentMemberValue,
} from '../../protocol/group-records/consumer-group-target-assignment-member.ts';
import {
  ConsumerGroupTargetAssignmentMetadataKey,
  ConsumerGroupTargetAssignmentMetadataValue,
} from '../../protocol/group-records/consumer-group-target-assignment-metadata.ts';
import type { MessageSchema } from '../../protocol/schema.ts';
import type { Writer } from '../../protocol/writer.ts';

interface One<Type, Key, Value> {
  readonly type: Type;
  readonly key: Key;
  /** Null for a tombstone. */
  readonly value: Value | null;
}

/** The records of a consumer group (KIP-848). All have a single version, 0. */
export type ConsumerGroupRecord =
  | One<'ConsumerGroupMetadata', ConsumerGroupMetadataKey, ConsumerGroupMetadataValue>
  | One<
      'ConsumerGroupPartitionMetadata',
      ConsumerGroupPartitionMetadataKey,
      ConsumerGroupPartitionMetadataValue
    >
  | One<'ConsumerGroupMemberMetadata', ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue>
  | One<
      'ConsumerGroupTargetAssignmentMetadata',
      ConsumerGroupTargetAssignmentMetadataKey,
      ConsumerGroupTargetAssignmentMetadataValue
    >
  | One<
      'ConsumerGroupTargetAssignmentMember',
      ConsumerGroupTargetAssignmentMemberKey,
      ConsumerGroupTargetAssignmentMemberValue
    >
  | One<
      'ConsumerGroupCurrentMemberAssignment',
      ConsumerGroupCurrentMemberAssignmentKey,
      ConsumerGroupCurrentMemberAssignmentValue
    >
  | One<
      'ConsumerGroupRegularExpression',
      ConsumerGroupRegularExpressionKey,
      ConsumerGroupRegularExpressionValue
    >;

const VERSION = 0;
const VERSION_BYTES = 2;

export function encodeConsumerGroupRecord(record: ConsumerGroupRecord, key: Writer, value: Writer): void {
  switch (record.type) {
    case 'ConsumerGroupMetadata':
      write(record, ConsumerGroupMetadataKey, ConsumerGroupMetadataValue, key, value);
      return;
    case 'ConsumerGroupPartitionMetadata':
      write(record, ConsumerGroupPartitionMetadataKey, ConsumerGroupPartitionMetadataValue, key, value);
      return;
    case 'ConsumerGroupMemberMetadata':
      write(record, ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue, key, value);
      return;
    case 'ConsumerGroupTargetAssignmentMetadata':
      write(
        record,
        ConsumerGroupTargetAssignmentMetadataKey,
        ConsumerGroupTargetAssignmentMetadataValue,
        key,
        value,
      );
      return;
    case 'ConsumerGroupTargetAssignmentMember':
      write(
        record,
        ConsumerGroupTargetAssignmentMemberKey,
        ConsumerGroupTargetAssignmentMemberValue,
        key,
        value,
      );
      return;
    case 'ConsumerGroupCurrentMemberAssignment':
      write(
        record,
        ConsumerGroupCurrentMemberAssignmentKey,
        ConsumerGroupCurrentMemberAssignmentValue,
        key,
        value,
      );
      return;
    case 'ConsumerGroupRegularExpression':
      write(record, ConsumerGroupRegularExpressionKey, ConsumerGroupRegularExpressionValue, key, value);
      return;
  }
}

/** Undefined for records of other types. Nothing of the result points into the bytes. */
export function decodeConsumerGroupRecord(
  recordType: number,
  key: Uint8Array,
  value: Uint8Array | null,
): ConsumerGroupRecord | undefined {
  const read = <T extends ConsumerGroupRecord['type'], K, V>(
    type: T,
    keys: MessageSchema<K>,
    values: MessageSchema<V>,
  ): One<T, K, V> => ({
    type,
    key: decode(keys, VERSION, key, VERSION_BYTES),
    value: value === null ? null : decodeValue(values, value),
  });
  switch (recordType) {
    case ConsumerGroupMetadataKey.apiKey:
      return read('ConsumerGroupMetadata', ConsumerGroupMetadataKey, ConsumerGroupMetadataValue);
    case ConsumerGroupPartitionMetadataKey.apiKey:
      return read(
        'ConsumerGroupPartitionMetadata',
        ConsumerGroupPartitionMetadataKey,
        ConsumerGroupPartitionMetadataValue,
      );
    case ConsumerGroupMemberMetadataKey.apiKey:
      return read(
        'ConsumerGroupMemberMetadata',
        ConsumerGroupMemberMetadataKey,
        ConsumerGroupMemberMetadataValue,
      );
    case ConsumerGroupTargetAssignmentMetadataKey.apiKey:
      return read(
        'ConsumerGroupTargetAssignmentMetadata',
        ConsumerGroupTargetAssignmentMetadataKey,
        ConsumerGroupTargetAssignmentMetadataValue,
      );
    case ConsumerGroupTargetAssignmentMemberKey.apiKey:
      return read(
        'ConsumerGroupTargetAssignmentMember',
        ConsumerGroupTargetAssignmentMemberKey,
        ConsumerGroupTargetAssignmentMemberValue,
      );
    case ConsumerGroupCurrentMemberAssignmentKey.apiKey:
      return read(
        'ConsumerGroupCurrentMemberAssignment',
        ConsumerGroupCurrentMemberAssignmentKey,
        ConsumerGroupCurrentMemberAssignmentValue,
      );
    case ConsumerGroupRegularExpressionKey.apiKey:
      return read(
        'ConsumerGroupRegularExpression',
        ConsumerGroupRegularExpressionKey,
        ConsumerGroupRegularExpressionValue,
      );
    default:
      return undefined;
  }
}

function write<K, V>(
  record: One<string, K, V>,
  keys: MessageSchema<K>,
  values: MessageSchema<V>,
  key: Writer,
  value: Writer,
): void {
  key.int16(keys.apiKey);
  encode(keys, VERSION, record.key, key);
  if (record.value === null) return;
  value.int16(VERSION);
  encode(values, VERSION, record.value, value);
}

/** A copy outlives the batch, for protocols of classic members are views. */
function decodeValue<T>(schema: MessageSchema<T>, value: Uint8Array): T {
  const copy = Uint8Array.prototype.slice.call(value);
  const version = ((copy[0]! << 24) >> 16) | copy[1]!;
  return decode(schema, version, copy, VERSION_BYTES);
}
