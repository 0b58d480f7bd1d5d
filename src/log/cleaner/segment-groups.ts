import { RELATIVE_OFFSET_MAX } from '../offset-index.ts';

export interface ClosedSegment {
  readonly baseOffset: number;
  readonly sizeInBytes: number;
}

export interface SegmentToClean extends ClosedSegment {
  readonly offsetIndexBytes: number;
  readonly timeIndexBytes: number;
}

export interface GroupLimits {
  readonly segmentBytes: number;
  readonly indexBytesMax: number;
  /** Where the last of the segments ends at most. */
  readonly endOffset: number;
}

/**
 * Puts neighbours together that fit into one segment as they are, so that segments do not get smaller from run to run. By
 * Apache's rules: log and indexes within their limits, and offsets that an index can hold.
 */
export function groupSegments(
  segments: readonly SegmentToClean[],
  limits: GroupLimits,
): readonly (readonly SegmentToClean[])[] {
  const groups: SegmentToClean[][] = [];
  let group: SegmentToClean[] = [];
  let logBytes = 0;
  let offsetIndexBytes = 0;
  let timeIndexBytes = 0;
  segments.forEach((segment, at) => {
    const end = segments[at + 1]?.baseOffset ?? limits.endOffset;
    const first = group[0];
    const fits =
      first !== undefined &&
      logBytes + segment.sizeInBytes <= limits.segmentBytes &&
      offsetIndexBytes + segment.offsetIndexBytes <= limits.indexBytesMax &&
      timeIndexBytes + segment.timeIndexBytes <= limits.indexBytesMax &&
      (segment.sizeInBytes === 0 || end - 1 - first.baseOffset <= RELATIVE_OFFSET_MAX);
    if (!fits) {
      group = [];
      groups.push(group);
      logBytes = 0;
      offsetIndexBytes = 0;
      timeIndexBytes = 0;
    }
    group.push(segment);
    logBytes += segment.sizeInBytes;
    offsetIndexBytes += segment.offsetIndexBytes;
    timeIndexBytes += segment.timeIndexBytes;
  });
  return groups;
}
