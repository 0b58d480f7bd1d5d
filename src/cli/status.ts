import type { MetadataResponse } from '../protocol/messages/metadata.ts';

/** What a broker tells about itself and its cluster. */
export interface BrokerStatus {
  readonly bootstrapServer: string;
  readonly clusterId: string | null;
  readonly controllerId: number;
  readonly brokers: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[];
  readonly topics: number;
  readonly partitions: number;
  /** Partitions without a leader. */
  readonly offlinePartitions: number;
  /** API keys that are served. */
  readonly apis: number;
}

export function statusOf(bootstrapServer: string, metadata: MetadataResponse, apis: number): BrokerStatus {
  const topics = metadata.topics ?? [];
  const partitions = topics.flatMap((topic) => topic.partitions);
  return {
    bootstrapServer,
    clusterId: metadata.clusterId,
    controllerId: metadata.controllerId,
    brokers: metadata.brokers.map(({ nodeId, host, port }) => ({ nodeId, host, port })),
    topics: topics.length,
    partitions: partitions.length,
    offlinePartitions: partitions.filter(({ leaderId }) => leaderId < 0).length,
    apis,
  };
}

/** For people, one fact a line. */
export function statusText(status: BrokerStatus, pid: number | undefined): string {
  const brokers = status.brokers.map(({ nodeId, host, port }) => `${nodeId} (${host}:${port})`).join(', ');
  return [
    `${status.bootstrapServer} serves${pid === undefined ? '' : `, process ${pid}`}`,
    `cluster     ${status.clusterId ?? 'unnamed'}`,
    `brokers     ${brokers}`,
    `controller  ${status.controllerId}`,
    `topics      ${status.topics} with ${status.partitions} partitions, ${status.offlinePartitions} of them offline`,
  ].join('\n');
}
