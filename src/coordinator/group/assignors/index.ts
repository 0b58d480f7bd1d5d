import type { Assignor } from './assignor.ts';
import { rangeAssignor } from './range.ts';
import { uniformAssignor } from './uniform.ts';

export {
  type Assignor,
  type AssignorMember,
  type GroupAssignment,
  type GroupSpec,
  PartitionAssignorError,
  type PartitionCount,
  type TopicPartitions,
} from './assignor.ts';

const ASSIGNORS: readonly Assignor[] = [uniformAssignor, rangeAssignor];

/** What `group.consumer.assignors` may name; members that ask for none get the first of the setting. */
export const ASSIGNOR_NAMES: readonly string[] = ASSIGNORS.map(({ name }) => name);

export function assignorNamed(name: string): Assignor | undefined {
  return ASSIGNORS.find((assignor) => assignor.name === name);
}
