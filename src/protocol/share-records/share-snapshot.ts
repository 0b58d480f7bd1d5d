import { array, type Infer, int8, int16, int32, int64, message, offset, string, uuid } from '../schema.ts';

/** The key of a whole state of a share partition (KIP-932). */
export const ShareSnapshotKey = message(
  { name: 'ShareSnapshotKey', apiKey: 0, versions: [0, 0] },
  {
    groupId: string,
    topicId: uuid,
    partition: int32,
  },
);
export type ShareSnapshotKey = Infer<typeof ShareSnapshotKey>;

/** All that is known of a share partition; replaces what was written before. */
export const ShareSnapshotValue = message(
  { name: 'ShareSnapshotValue', apiKey: 0, versions: [0, 0], flexible: 0 },
  {
    snapshotEpoch: int32,
    stateEpoch: int32,
    leaderEpoch: int32,
    startOffset: offset,
    deliveryCompleteCount: int32.tagged(0, 0).default(-1),
    createTimestamp: int64,
    writeTimestamp: int64,
    stateBatches: array({
      firstOffset: offset,
      lastOffset: offset,
      deliveryState: int8,
      deliveryCount: int16,
    }),
  },
);
export type ShareSnapshotValue = Infer<typeof ShareSnapshotValue>;
