import type { Assignor } from './assignor.ts';
import { assignHeterogeneous } from './uniform-heterogeneous.ts';
import { assignHomogeneous } from './uniform-homogeneous.ts';

/** Spreads partitions evenly over members and moves as few as it can; evenness comes before staying. */
export const uniformAssignor: Assignor = {
  name: 'uniform',
  assign({ members, isHomogeneous }, partitionCount) {
    return isHomogeneous
      ? assignHomogeneous(members, partitionCount)
      : assignHeterogeneous(members, partitionCount);
  },
};
