import type { MetadataRecord } from '../metadata/records.ts';
import type { DescribeQuorumRequest, DescribeQuorumResponse } from '../protocol/messages/describe-quorum.ts';

/** A row of the settings that CreateTopics answers with. */
export interface EffectiveConfig {
  readonly name: string;
  /** Null for secrets. */
  readonly value: string | null;
  readonly readOnly: boolean;
  /** As in DescribeConfigs: 1 topic, 2 dynamic broker, 3 dynamic default, 4 static, 5 default. */
  readonly configSource: number;
  readonly isSensitive: boolean;
}

export type ValidatedResource = 'topic' | 'broker' | 'cluster' | 'client-metrics' | 'group';

/** What the controller must know of settings; `server` puts `src/config` behind it. */
export interface ConfigSchema {
  /** Checks all the settings that a resource would have. Throws ProtocolError with Kafka's code and words. */
  validate(resource: ValidatedResource, name: string, configs: ReadonlyMap<string, string>): void;
  /** Whether APPEND and SUBTRACT work on it. */
  isList(resource: ValidatedResource, name: string): boolean;
  /** What APPEND and SUBTRACT start from where nothing is set. */
  defaultText(resource: ValidatedResource, name: string): string | undefined;
  /** All settings of a topic with these of its own, sorted by name. */
  effectiveTopicConfigs(overrides: ReadonlyMap<string, string>): readonly EffectiveConfig[];
  /** Whether a topic with these settings may elect a leader outside the ISR. */
  uncleanLeaderElection(overrides: ReadonlyMap<string, string>): boolean;
  /** min.insync.replicas of a topic with these settings. */
  minInsyncReplicas(overrides: ReadonlyMap<string, string>): number;
}

/** The metadata log's leader side; a `RaftNode` of metadata records is one. */
export interface MetadataLogWriter {
  readonly nodeId: number;
  readonly isLeader: boolean;
  readonly leaderEpoch: number;
  /** The offset that the next record gets. */
  readonly nextOffset: number;
  readonly highWatermark: number;
  readonly kraftVersion: number;
  /** The offset of the last record. Throws NOT_CONTROLLER. */
  append(records: readonly MetadataRecord[]): number;
  /** Gives all committed records again. */
  replay(listener: MetadataLogListener): Promise<void>;
  describeQuorum(request: DescribeQuorumRequest, nowMs: number): DescribeQuorumResponse;
}

export interface CommittedMetadata {
  readonly baseOffset: number;
  readonly epoch: number;
  readonly entries: readonly MetadataRecord[];
}

export interface MetadataLogListener {
  onSnapshot(entries: Iterable<MetadataRecord>, lastOffset: number, epoch: number): void;
  onCommit(batch: CommittedMetadata, more: boolean): void;
}

/** Decides on topics before they are made; throws ProtocolError(POLICY_VIOLATION). */
export interface CreateTopicPolicy {
  validate(topic: {
    readonly name: string;
    /** Undefined with manual assignments. */
    readonly numPartitions: number | undefined;
    readonly replicationFactor: number | undefined;
    readonly assignments: ReadonlyMap<number, readonly number[]> | undefined;
    readonly configs: ReadonlyMap<string, string>;
  }): void;
}
