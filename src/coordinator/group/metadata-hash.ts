import { type Uuid, uuidToBytes } from '../../base/uuid.ts';
import { xxh3 } from '../../base/xxh3.ts';

/** Tells apart ways of hashing, should there ever be another. */
const TOPIC_HASH_MAGIC = 0;
const UUID_BYTES = 16;
const HALF_UUID = 8;
const INT_BYTES = 4;
const CHAR_BYTES = 2;
const MAGIC_BYTES = 1;
const HASH_BYTES = 8;

/** What of a topic makes a group assign anew when it changes. */
export interface HashedTopic {
  readonly topicId: Uuid;
  readonly name: string;
  readonly partitionCount: number;
  /** The racks of the replicas of a partition, with repetitions; none where brokers have no racks. */
  racksOf(partition: number): readonly string[];
}

/** The hash of one topic (KIP-848), which Apache Kafka 4.1 and newer compute alike. */
export function computeTopicHash(topic: HashedTopic): bigint {
  const racks = Array.from({ length: topic.partitionCount }, (_, partition) =>
    [...topic.racksOf(partition)].sort(),
  );
  let size = MAGIC_BYTES + UUID_BYTES + stringBytes(topic.name) + INT_BYTES;
  for (const ofPartition of racks) {
    size += INT_BYTES;
    for (const rack of ofPartition) size += INT_BYTES + stringBytes(rack);
  }
  const bytes = Buffer.alloc(size);
  let at = bytes.writeUInt8(TOPIC_HASH_MAGIC);
  uuidToBytes(topic.topicId, bytes, at);
  // Both halves are numbers, and numbers have their low byte first.
  bytes.subarray(at, at + HALF_UUID).reverse();
  bytes.subarray(at + HALF_UUID, at + UUID_BYTES).reverse();
  at = writeString(bytes, topic.name, at + UUID_BYTES);
  at = bytes.writeInt32LE(topic.partitionCount, at);
  racks.forEach((ofPartition, partition) => {
    at = bytes.writeInt32LE(partition, at);
    for (const rack of ofPartition) {
      at = bytes.writeInt32LE(rack.length, at);
      at = writeString(bytes, rack, at);
    }
  });
  return BigInt.asIntN(64, xxh3(bytes));
}

/**
 * The hash of all topics that a group subscribes to, from theirs by name: what its ConsumerGroupMetadata record holds.
 * 0 for none. Topics that are not there are left out.
 */
export function computeGroupHash(topicHashes: ReadonlyMap<string, bigint>): bigint {
  if (topicHashes.size === 0) return 0n;
  const bytes = Buffer.alloc(topicHashes.size * HASH_BYTES);
  let at = 0;
  for (const name of [...topicHashes.keys()].sort()) at = bytes.writeBigInt64LE(topicHashes.get(name)!, at);
  return BigInt.asIntN(64, xxh3(bytes));
}

function stringBytes(text: string): number {
  return text.length * CHAR_BYTES + INT_BYTES;
}

/** The characters, then how many they are. */
function writeString(bytes: Buffer, text: string, at: number): number {
  return bytes.writeInt32LE(text.length, at + bytes.write(text, at, 'utf16le'));
}
