import { array, type Infer, int32, message, string, uuid } from '../schema.ts';

/** The key of what a consumer group knew of its topics (KIP-848); brokers before 4.1 wrote it. */
export const ConsumerGroupPartitionMetadataKey = message(
  { name: 'ConsumerGroupPartitionMetadataKey', apiKey: 4, versions: [0, 0] },
  {
    groupId: string,
  },
);
export type ConsumerGroupPartitionMetadataKey = Infer<typeof ConsumerGroupPartitionMetadataKey>;

/**
 * The partitions of the topics of a group. Only to be read: ConsumerGroupMetadata has a hash in its
 * place.
 */
export const ConsumerGroupPartitionMetadataValue = message(
  { name: 'ConsumerGroupPartitionMetadataValue', apiKey: 4, versions: [0, 0], flexible: 0 },
  {
    topics: array({
      topicId: uuid,
      topicName: string,
      numPartitions: int32,
      partitionMetadata: array({
        partition: int32,
        racks: array(string),
      }),
    }),
  },
);
export type ConsumerGroupPartitionMetadataValue = Infer<typeof ConsumerGroupPartitionMetadataValue>;
