import { array, type Infer, int32, message, string } from '../schema.ts';

/** The key of the tasks that a member shall get (KIP-1071). */
export const StreamsGroupTargetAssignmentMemberKey = message(
  { name: 'StreamsGroupTargetAssignmentMemberKey', apiKey: 21, versions: [0, 0] },
  {
    groupId: string,
    memberId: string,
  },
);
export type StreamsGroupTargetAssignmentMemberKey = Infer<typeof StreamsGroupTargetAssignmentMemberKey>;

const taskIds = {
  subtopologyId: string,
  partitions: array(int32),
};

/** The tasks that a member shall get. */
export const StreamsGroupTargetAssignmentMemberValue = message(
  { name: 'StreamsGroupTargetAssignmentMemberValue', apiKey: 21, versions: [0, 0], flexible: 0 },
  {
    activeTasks: array(taskIds),
    standbyTasks: array(taskIds),
    warmupTasks: array(taskIds),
  },
);
export type StreamsGroupTargetAssignmentMemberValue = Infer<typeof StreamsGroupTargetAssignmentMemberValue>;
