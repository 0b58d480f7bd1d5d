import { array, type Infer, int8, int16, int32, message, offset, string, uuid } from '../schema.ts';

/** The key of a change of a share partition (KIP-932). */
export const ShareUpdateKey = message(
  { name: 'ShareUpdateKey', apiKey: 1, versions: [0, 0] },
  {
    groupId: string,
    topicId: uuid,
    partition: int32,
  },
);
export type ShareUpdateKey = Infer<typeof ShareUpdateKey>;

/** What changed since the snapshot of the named epoch. */
export const ShareUpdateValue = message(
  { name: 'ShareUpdateValue', apiKey: 1, versions: [0, 0], flexible: 0 },
  {
    snapshotEpoch: int32,
    leaderEpoch: int32,
    startOffset: offset,
    deliveryCompleteCount: int32.tagged(0, 0).default(-1),
    stateBatches: array({
      firstOffset: offset,
      lastOffset: offset,
      deliveryState: int8,
      deliveryCount: int16,
    }),
  },
);
export type ShareUpdateValue = Infer<typeof ShareUpdateValue>;
