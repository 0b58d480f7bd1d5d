import { type Infer, int16, message } from '../schema.ts';

/** The value of the control record at the end of a snapshot. */
export const SnapshotFooterRecord = message(
  { name: 'SnapshotFooterRecord', versions: [0, 0], flexible: 0 },
  {
    version: int16,
  },
);
export type SnapshotFooterRecord = Infer<typeof SnapshotFooterRecord>;
