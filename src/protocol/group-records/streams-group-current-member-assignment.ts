import { array, type Infer, int8, int32, message, string } from '../schema.ts';

/** The key of the tasks that a member has (KIP-1071). */
export const StreamsGroupCurrentMemberAssignmentKey = message(
  { name: 'StreamsGroupCurrentMemberAssignmentKey', apiKey: 22, versions: [0, 0] },
  {
    groupId: string,
    memberId: string,
  },
);
export type StreamsGroupCurrentMemberAssignmentKey = Infer<typeof StreamsGroupCurrentMemberAssignmentKey>;

const taskIds = {
  subtopologyId: string,
  partitions: array(int32),
  assignmentEpochs: array(int32).nullable().tagged(0, 0),
};

/** The tasks that a member has and those that it must give back first. */
export const StreamsGroupCurrentMemberAssignmentValue = message(
  { name: 'StreamsGroupCurrentMemberAssignmentValue', apiKey: 22, versions: [0, 0], flexible: 0 },
  {
    memberEpoch: int32,
    previousMemberEpoch: int32,
    state: int8,
    activeTasks: array(taskIds),
    standbyTasks: array(taskIds),
    warmupTasks: array(taskIds),
    activeTasksPendingRevocation: array(taskIds),
    standbyTasksPendingRevocation: array(taskIds),
    warmupTasksPendingRevocation: array(taskIds),
  },
);
export type StreamsGroupCurrentMemberAssignmentValue = Infer<typeof StreamsGroupCurrentMemberAssignmentValue>;
