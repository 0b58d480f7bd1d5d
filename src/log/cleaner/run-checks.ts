import type { PartitionLog } from '../log.ts';
import type { Segment } from '../segment.ts';
import type { CleanedGroup } from './clean-log.ts';

/** What a run was begun with. */
export interface RunView {
  readonly log: PartitionLog;
  readonly dir: string;
  readonly cutCount: number;
  /** By base offset, those that the job has to do with and that no swap has replaced. */
  readonly segments: Map<number, Segment>;
}

/** A run has come to be of no use: its log went on without it. */
export class AbortedError extends Error {
  constructor(why: string) {
    super(why);
    this.name = 'AbortedError';
  }
}

/** Why nothing of a run may be swapped in any more; undefined where the log is still what it was begun with. */
export function whyOver({ log, dir, cutCount }: RunView): string | undefined {
  if (log.isClosed || log.isOffline || log.dir !== dir) return 'the log is closed';
  if (log.cutCount !== cutCount) return 'the log was cut';
  return log.config.cleanupPolicy.includes('compact') ? undefined : 'cleanup.policy has no compact any more';
}

/**
 * The segments that a group was made from, as they are now. Empty where all of them are gone, which is what retention and
 * DeleteRecords do. Throws AbortedError where they are not what the job has read.
 */
export function segmentsToReplace(
  { log, segments }: RunView,
  { replaced }: CleanedGroup,
): readonly Segment[] {
  const first = replaced[0]!;
  const last = replaced.at(-1)!;
  const now = log.closedSegments.filter(({ baseOffset }) => baseOffset >= first && baseOffset <= last);
  if (now.length === 0) return now;
  const isSame =
    now.length === replaced.length && now.every((segment, at) => segment === segments.get(replaced[at]!));
  if (!isSame) throw new AbortedError('its segments have changed');
  return now;
}
