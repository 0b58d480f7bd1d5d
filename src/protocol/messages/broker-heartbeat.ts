import { array, bool, type Infer, int16, int32, message, offset, uuid } from '../schema.ts';

/** From a broker to the controller, to stay unfenced (KIP-631). */
export const BrokerHeartbeatRequest = message(
  { name: 'BrokerHeartbeatRequest', apiKey: 63, versions: [0, 2], flexible: 0 },
  {
    brokerId: int32,
    brokerEpoch: offset.default(-1),
    // How far the broker has applied the metadata log.
    currentMetadataOffset: offset,
    // The broker wants to stay fenced.
    wantFence: bool,
    wantShutDown: bool,
    offlineLogDirs: array(uuid).tagged(0, 1),
    cordonedLogDirs: array(uuid).nullable().tagged(1, 2).default(null),
  },
);
export type BrokerHeartbeatRequest = Infer<typeof BrokerHeartbeatRequest>;

export const BrokerHeartbeatResponse = message(
  { name: 'BrokerHeartbeatResponse', apiKey: 63, versions: [0, 2], flexible: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    isCaughtUp: bool,
    isFenced: bool.default(true),
    shouldShutDown: bool,
  },
);
export type BrokerHeartbeatResponse = Infer<typeof BrokerHeartbeatResponse>;
