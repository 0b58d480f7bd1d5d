import type { CoordinatorRecordTypes } from '../coordinator-record.ts';
import { ShareSnapshotKey, ShareSnapshotValue } from './share-snapshot.ts';
import { ShareUpdateKey, ShareUpdateValue } from './share-update.ts';

/** Every record of `__share_group_state`. */
export const shareRecordTypes: CoordinatorRecordTypes = new Map(
  [
    { key: ShareSnapshotKey, value: ShareSnapshotValue },
    { key: ShareUpdateKey, value: ShareUpdateValue },
  ].map((one) => [one.key.apiKey, one]),
);
