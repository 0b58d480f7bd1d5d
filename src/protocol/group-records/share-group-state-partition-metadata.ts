import { array, type Infer, int32, message, string, uuid } from '../schema.ts';

/** The key of the partitions that the share coordinator keeps for a group (KIP-932). */
export const ShareGroupStatePartitionMetadataKey = message(
  { name: 'ShareGroupStatePartitionMetadataKey', apiKey: 15, versions: [0, 0] },
  {
    groupId: string,
  },
);
export type ShareGroupStatePartitionMetadataKey = Infer<typeof ShareGroupStatePartitionMetadataKey>;

const topicPartitionsInfo = {
  topicId: uuid,
  topicName: string,
  partitions: array(int32),
};

const topicInfo = {
  topicId: uuid,
  topicName: string,
};

/** Partitions by what has become of them: being initialized, initialized, being deleted. */
export const ShareGroupStatePartitionMetadataValue = message(
  { name: 'ShareGroupStatePartitionMetadataValue', apiKey: 15, versions: [0, 0], flexible: 0 },
  {
    initializingTopics: array(topicPartitionsInfo),
    initializedTopics: array(topicPartitionsInfo),
    deletingTopics: array(topicInfo),
  },
);
export type ShareGroupStatePartitionMetadataValue = Infer<typeof ShareGroupStatePartitionMetadataValue>;
