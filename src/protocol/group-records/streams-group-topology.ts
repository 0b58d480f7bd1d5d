import { array, type Infer, int16, int32, message, string } from '../schema.ts';

/** The key of the topology of a streams group (KIP-1071). */
export const StreamsGroupTopologyKey = message(
  { name: 'StreamsGroupTopologyKey', apiKey: 23, versions: [0, 0] },
  {
    groupId: string,
  },
);
export type StreamsGroupTopologyKey = Infer<typeof StreamsGroupTopologyKey>;

const topicConfig = {
  key: string,
  value: string,
};

const topicInfo = {
  name: string,
  partitions: int32,
  replicationFactor: int16,
  topicConfigs: array(topicConfig),
};

/** The subtopologies with the topics that they need. */
export const StreamsGroupTopologyValue = message(
  { name: 'StreamsGroupTopologyValue', apiKey: 23, versions: [0, 0], flexible: 0 },
  {
    epoch: int32,
    subtopologies: array({
      subtopologyId: string,
      sourceTopics: array(string),
      sourceTopicRegex: array(string),
      stateChangelogTopics: array(topicInfo),
      repartitionSinkTopics: array(string),
      repartitionSourceTopics: array(topicInfo),
      copartitionGroups: array({
        sourceTopics: array(int16),
        sourceTopicRegex: array(int16),
        repartitionSourceTopics: array(int16),
      }),
    }),
  },
);
export type StreamsGroupTopologyValue = Infer<typeof StreamsGroupTopologyValue>;
