import { type Infer, int32, int64, message, offset, string } from '../schema.ts';

/** The key of a committed offset in its oldest form, which nobody writes any more. */
export const LegacyOffsetCommitKey = message(
  { name: 'LegacyOffsetCommitKey', apiKey: 0, versions: [0, 0] },
  {
    group: string,
    topic: string,
    partition: int32,
  },
);
export type LegacyOffsetCommitKey = Infer<typeof LegacyOffsetCommitKey>;

/** A committed offset in its oldest form. */
export const LegacyOffsetCommitValue = message(
  { name: 'LegacyOffsetCommitValue', apiKey: 0, versions: [0, 0] },
  {
    offset: offset,
    metadata: string,
    commitTimestamp: int64,
  },
);
export type LegacyOffsetCommitValue = Infer<typeof LegacyOffsetCommitValue>;
