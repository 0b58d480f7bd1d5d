import { type Infer, int16, int64, message } from '../schema.ts';

/** The value of the control record at the front of a snapshot. */
export const SnapshotHeaderRecord = message(
  { name: 'SnapshotHeaderRecord', versions: [0, 0], flexible: 0 },
  {
    version: int16,
    lastContainedLogTimestamp: int64,
  },
);
export type SnapshotHeaderRecord = Infer<typeof SnapshotHeaderRecord>;
