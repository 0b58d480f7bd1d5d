import { array, type Infer, int8, int16, int32, message, string, struct } from '../schema.ts';

const topologyDescriptionNode = {
  name: string,
  nodeType: int8,
  sourceTopics: array(string),
  sinkTopic: string.nullable().default(null),
  stores: array(string),
  successors: array(string),
};

const topologyDescriptionSubtopology = {
  subtopologyId: string,
  nodes: array(topologyDescriptionNode),
};

const topologyDescriptionGlobalStore = {
  source: struct(topologyDescriptionNode),
  processor: struct(topologyDescriptionNode),
};

const topologyDescription = {
  subtopologies: array(topologyDescriptionSubtopology),
  globalStores: array(topologyDescriptionGlobalStore),
};

/** What the topology of a streams group looks like, for people (KIP-1331). */
export const StreamsGroupTopologyDescriptionUpdateRequest = message(
  { name: 'StreamsGroupTopologyDescriptionUpdateRequest', apiKey: 93, versions: [0, 0], flexible: 0 },
  {
    groupId: string,
    memberId: string,
    topologyEpoch: int32,
    topologyDescription: struct(topologyDescription),
  },
);
export type StreamsGroupTopologyDescriptionUpdateRequest = Infer<
  typeof StreamsGroupTopologyDescriptionUpdateRequest
>;

/** Whether the description was taken. */
export const StreamsGroupTopologyDescriptionUpdateResponse = message(
  { name: 'StreamsGroupTopologyDescriptionUpdateResponse', apiKey: 93, versions: [0, 0], flexible: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: string.nullable().default(null),
  },
);
export type StreamsGroupTopologyDescriptionUpdateResponse = Infer<
  typeof StreamsGroupTopologyDescriptionUpdateResponse
>;
