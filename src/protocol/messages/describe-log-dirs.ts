import { array, bool, type Infer, int16, int32, message, offset, string } from '../schema.ts';

/** What lies in the log directories (KIP-113). */
export const DescribeLogDirsRequest = message(
  { name: 'DescribeLogDirsRequest', apiKey: 35, versions: [0, 5], flexible: 2 },
  {
    // Null asks for all.
    topics: array({
      topic: string,
      partitions: array(int32),
    }).nullable(),
  },
);
export type DescribeLogDirsRequest = Infer<typeof DescribeLogDirsRequest>;

export const DescribeLogDirsResponse = message(
  { name: 'DescribeLogDirsResponse', apiKey: 35, versions: [0, 5], flexible: 2 },
  {
    throttleTimeMs: int32,
    errorCode: int16.since(3).ignorable(),
    results: array({
      errorCode: int16,
      logDir: string,
      topics: array({
        name: string,
        partitions: array({
          partitionIndex: int32,
          partitionSize: offset,
          offsetLag: offset,
          // The replica is being moved into this directory.
          isFutureKey: bool,
        }),
      }),
      totalBytes: offset.since(4).default(-1).ignorable(),
      usableBytes: offset.since(4).default(-1).ignorable(),
      isCordoned: bool.since(5).ignorable(),
    }),
  },
);
export type DescribeLogDirsResponse = Infer<typeof DescribeLogDirsResponse>;
