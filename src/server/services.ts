import type { Ports } from '../base/ports.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import type { GroupCoordinator, TransactionCoordinator } from '../coordinator/index.ts';
import type { LogManager } from '../log/index.ts';
import type { FeatureRange } from '../metadata/features.ts';
import type { FetchSessionCache } from '../replication/fetch-session.ts';
import type { ReplicaManager } from '../replication/replica-manager.ts';
import type { TransactionVerifier } from '../replication/transaction-verification.ts';
import type { BrokerMetadata } from './broker-metadata.ts';
import type { ControllerChannel } from './controller-channel.ts';
import type { MemberConnections } from './member-connections.ts';
import type { ProducerIds } from './producer-ids.ts';
import type { TopicCreation } from './topic-creation.ts';
import type { TxnMarkerWriter } from './txn-markers.ts';

/** What the handlers of broker listeners work with. */
export interface HandlerServices {
  readonly nodeId: number;
  readonly clusterId: string;
  readonly ports: Ports;
  /** The settings as they are now. */
  readonly config: BrokerConfig;
  readonly metadata: BrokerMetadata;
  readonly replicas: ReplicaManager;
  readonly logs: LogManager;
  readonly groups: GroupCoordinator;
  readonly memberConnections: MemberConnections;
  readonly transactions: TransactionCoordinator;
  readonly fetchSessions: FetchSessionCache;
  readonly controller: ControllerChannel;
  readonly topicCreation: TopicCreation;
  readonly producerIds: ProducerIds;
  readonly transactionVerifier: TransactionVerifier;
  readonly txnMarkers: TxnMarkerWriter;
  readonly supportedFeatures: ReadonlyMap<string, FeatureRange>;
}
