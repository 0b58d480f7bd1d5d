import {
  array,
  bool,
  type Infer,
  int8,
  int16,
  int32,
  message,
  offset,
  string,
  struct,
  uint16,
} from '../schema.ts';

/** Asks for the state of streams groups (KIP-1071). */
export const StreamsGroupDescribeRequest = message(
  { name: 'StreamsGroupDescribeRequest', apiKey: 89, versions: [0, 1], flexible: 0 },
  {
    groupIds: array(string),
    includeAuthorizedOperations: bool,
    includeTopologyDescription: bool.since(1),
  },
);
export type StreamsGroupDescribeRequest = Infer<typeof StreamsGroupDescribeRequest>;

const keyValue = {
  key: string,
  value: string,
};

const topicInfo = {
  name: string,
  partitions: int32,
  replicationFactor: int16,
  topicConfigs: array(keyValue),
};

const endpoint = {
  host: string,
  port: uint16,
};

const taskOffset = {
  subtopologyId: string,
  partition: int32,
  offset: offset,
};

const taskIds = {
  subtopologyId: string,
  partitions: array(int32),
};

const assignment = {
  activeTasks: array(taskIds),
  standbyTasks: array(taskIds),
  warmupTasks: array(taskIds),
};

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

/**
 * The topology, and members with their tasks. Since v1 a description of the topology (KIP-1331) and
 * the assignor (KIP-1357).
 */
export const StreamsGroupDescribeResponse = message(
  { name: 'StreamsGroupDescribeResponse', apiKey: 89, versions: [0, 1], flexible: 0 },
  {
    throttleTimeMs: int32,
    groups: array({
      errorCode: int16,
      errorMessage: string.nullable().default(null),
      groupId: string,
      groupState: string,
      groupEpoch: int32,
      assignmentEpoch: int32,
      topology: struct({
        epoch: int32,
        subtopologies: array({
          subtopologyId: string,
          sourceTopics: array(string),
          repartitionSinkTopics: array(string),
          stateChangelogTopics: array(topicInfo),
          repartitionSourceTopics: array(topicInfo),
        })
          .nullable()
          .default(null),
      })
        .nullable()
        .default(null),
      members: array({
        memberId: string,
        memberEpoch: int32,
        instanceId: string.nullable().default(null),
        rackId: string.nullable().default(null),
        clientId: string,
        clientHost: string,
        topologyEpoch: int32,
        processId: string,
        userEndpoint: struct(endpoint).nullable().default(null),
        clientTags: array(keyValue),
        taskOffsets: array(taskOffset),
        taskEndOffsets: array(taskOffset),
        assignment: struct(assignment),
        targetAssignment: struct(assignment),
        isClassic: bool,
      }),
      authorizedOperations: int32.default(-2147483648),
      topologyDescription: struct(topologyDescription).since(1).nullable().default(null),
      topologyDescriptionStatus: int8.since(1),
      assignorName: string.since(1).nullable().default(null).ignorable(),
    }),
  },
);
export type StreamsGroupDescribeResponse = Infer<typeof StreamsGroupDescribeResponse>;
