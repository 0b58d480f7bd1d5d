import type { Uuid } from '../../base/uuid.ts';
import { decodeFrom, encode } from '../../protocol/codec.ts';
import {
  ConsumerProtocolAssignment,
  ConsumerProtocolSubscription,
} from '../../protocol/messages/consumer-protocol.ts';
import { Reader } from '../../protocol/reader.ts';
import type { MessageSchema } from '../../protocol/schema.ts';
import { Writer } from '../../protocol/writer.ts';
import type { TopicPartitions } from './assignors/index.ts';
import type { GroupTopics } from './group-topics.ts';

const VERSION_BYTES = 2;

/** What consumers of the classic protocol write into JoinGroup. Undefined where it is something else. */
export function readSubscription(bytes: Uint8Array): ConsumerProtocolSubscription | undefined {
  return read(ConsumerProtocolSubscription, bytes);
}

/** What their leader writes into SyncGroup. Undefined where it is something else. */
export function readAssignment(bytes: Uint8Array): ConsumerProtocolAssignment | undefined {
  return read(ConsumerProtocolAssignment, bytes);
}

/** An assignment in the version of a member's subscription, as its client understands it. */
export function writeAssignment(
  partitions: TopicPartitions,
  topics: GroupTopics,
  subscription: Uint8Array,
): Uint8Array {
  const assignedPartitions: { topic: string; partitions: number[] }[] = [];
  for (const [topicId, some] of partitions) {
    const topic = topics.nameOf(topicId);
    if (topic !== undefined) assignedPartitions.push({ topic, partitions: [...some].sort((a, b) => a - b) });
  }
  const version = versionOf(ConsumerProtocolAssignment, subscription);
  const writer = new Writer();
  writer.int16(version);
  encode(ConsumerProtocolAssignment, version, { assignedPartitions, userData: null }, writer);
  return Uint8Array.prototype.slice.call(writer.bytes());
}

/** Partitions of topics by id; topics that are not there are left out. */
export function byTopicId(
  named: readonly { readonly topic: string; readonly partitions: readonly number[] }[],
  topics: GroupTopics,
): { topicId: Uuid; partitions: readonly number[] }[] {
  const found: { topicId: Uuid; partitions: readonly number[] }[] = [];
  for (const { topic, partitions } of named) {
    const topicId = topics.idOf(topic);
    if (topicId !== undefined) found.push({ topicId, partitions });
  }
  return found;
}

function read<T>(schema: MessageSchema<T>, bytes: Uint8Array): T | undefined {
  if (bytes.length < VERSION_BYTES || (bytes[0]! & 0x80) !== 0) return undefined;
  try {
    return decodeFrom(schema, versionOf(schema, bytes), new Reader(bytes, VERSION_BYTES));
  } catch {
    return undefined;
  }
}

/** Later versions begin like the last one that is known. */
function versionOf<T>(schema: MessageSchema<T>, bytes: Uint8Array): number {
  return Math.min((bytes[0]! << 8) | bytes[1]!, schema.lastVersion);
}
