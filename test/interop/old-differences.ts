import type { OldGoldenCase, OldOutcome } from './support/old-formats-golden.ts';

/** Where this broker answers otherwise to message sets than Apache Kafka 3.9 did, and why. */

interface OldDifference {
  readonly why: string;
  readonly applies: (name: string) => boolean;
  readonly allows: (ours: OldOutcome, theirs: OldOutcome) => boolean;
}

const UNKNOWN_SERVER_ERROR = -1;
const CORRUPT_MESSAGE = 2;
const INVALID_TIMESTAMP = 32;
const UNSUPPORTED_COMPRESSION_TYPE = 76;
const INVALID_RECORD = 87;

const differences: readonly OldDifference[] = [
  {
    why: `Apache Kafka answers UNKNOWN_SERVER_ERROR when reading a message throws something it did not expect (a decompressor, a length, a
      negative time). Here no input leads to an unexpected error: the message is refused by name.`,
    applies: () => true,
    allows: (ours, theirs) =>
      theirs.errorCode === UNKNOWN_SERVER_ERROR &&
      [INVALID_TIMESTAMP, INVALID_RECORD, UNSUPPORTED_COMPRESSION_TYPE].includes(ours.errorCode),
  },
  {
    why: `KIP-110 has zstd from Produce 7 on. Apache Kafka checks that from Produce 3 on, since older versions carry no batches.`,
    applies: (name) => name === 'plain: a batch of format 2 with zstd',
    allows: (ours) => ours.errorCode === UNSUPPORTED_COMPRESSION_TYPE,
  },
  {
    why: `Two faults at once, a wrong CRC behind something of another format: Apache Kafka checks all CRCs before it looks at the formats.`,
    applies: (name) => /(a batch with a wrong CRC behind it|behind a batch, CRC wrong)$/.test(name),
    allows: (ours, theirs) => theirs.errorCode === CORRUPT_MESSAGE && ours.errorCode === INVALID_RECORD,
  },
];

/** The differences of one case that nothing allows, as lines to print. */
export function unexplainedOld(theirs: OldGoldenCase, ours: OldGoldenCase): string[] {
  const lines: string[] = [];
  let mine: OldOutcome | 'closed' | undefined;
  let golden: OldOutcome | 'closed' | undefined;
  for (const version of [0, 1, 2]) {
    mine = ours.answers[version] ?? mine;
    golden = theirs.answers[version] ?? golden;
    const [a, b] = [JSON.stringify(mine), JSON.stringify(golden)];
    if (a === b) continue;
    const isExplained =
      typeof mine === 'object' &&
      typeof golden === 'object' &&
      differences.some((d) => d.applies(theirs.name) && d.allows(mine as OldOutcome, golden as OldOutcome));
    if (!isExplained) lines.push(`${theirs.name}, Produce v${version}: Apache ${b}, here ${a}`);
  }
  return lines;
}
