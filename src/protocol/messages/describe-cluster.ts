import { array, bool, type Infer, int8, int16, int32, message, string } from '../schema.ts';

/** The nodes of the cluster (KIP-700), since v1 of the controllers too (KIP-919). */
export const DescribeClusterRequest = message(
  { name: 'DescribeClusterRequest', apiKey: 60, versions: [0, 2], flexible: 0 },
  {
    includeClusterAuthorizedOperations: bool,
    endpointType: int8.since(1).default(1),
    includeFencedBrokers: bool.since(2),
  },
);
export type DescribeClusterRequest = Infer<typeof DescribeClusterRequest>;

export const DescribeClusterResponse = message(
  { name: 'DescribeClusterResponse', apiKey: 60, versions: [0, 2], flexible: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: string.nullable().default(null),
    endpointType: int8.since(1).default(1),
    clusterId: string,
    controllerId: int32.default(-1),
    brokers: array({
      brokerId: int32,
      host: string,
      port: int32,
      rack: string.nullable().default(null),
      isFenced: bool.since(2),
    }),
    clusterAuthorizedOperations: int32.default(-2147483648),
  },
);
export type DescribeClusterResponse = Infer<typeof DescribeClusterResponse>;
