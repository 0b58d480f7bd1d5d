import type { Logger } from './base/ports.ts';
import { BrokerConfig } from './config/broker-config.ts';
import type { Profile } from './config/profiles.ts';
import type { BrokerGroup } from './server/group-inspection.ts';
import { startNode } from './server/main.ts';

export type { LogFields, Logger } from './base/ports.ts';
export type { Profile } from './config/profiles.ts';
export { ProtocolError } from './protocol/errors.ts';
export type {
  AssignedPartition,
  BrokerGroup,
  GroupDescription,
  GroupMemberDescription,
  GroupOffset,
  StableGroup,
} from './server/group-inspection.ts';

export interface StartBrokerOptions {
  /** Keep all data in memory. Default: true where no `dataDir` is given. */
  readonly memory?: boolean;
  /** Where data is kept; made where it does not exist. */
  readonly dataDir?: string;
  /** Default: a free one. */
  readonly port?: number;
  /** Any setting of `server.properties`, by Kafka's names. */
  readonly properties?: Readonly<Record<string, string | number | boolean>>;
  /** Whose defaults hold. Default: `dev`. */
  readonly profile?: Profile;
  /** Default: nothing is logged. */
  readonly logger?: Logger;
}

/** A broker that runs inside this process. */
export interface Broker extends AsyncDisposable {
  /** What clients connect to: `localhost:54321`. */
  readonly bootstrapServers: string;
  readonly clusterId: string;
  /**
   * A consumer group as data: its members and what they have, its offsets and lag, and a promise for the moment when it
   * is stable: `await broker.group('orders').stable({ members: 2, partitions: 6 })`.
   */
  group(groupId: string): BrokerGroup;
  /** Answers what is under way, closes everything; after it nothing of the broker keeps the process alive. */
  stop(): Promise<void>;
}

const SILENT: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => SILENT,
};

/** Starts a broker in this process and resolves when it serves. Many may run side by side. */
export async function startBroker(options: StartBrokerOptions = {}): Promise<Broker> {
  const { dataDir, port = 0, properties = {}, profile = 'dev', logger = SILENT } = options;
  const memory = options.memory ?? dataDir === undefined;
  const overrides = Object.fromEntries(
    Object.entries(properties).map(([name, value]) => [name, String(value)]),
  );
  const config = BrokerConfig.parse({
    overrides,
    profile,
    port,
    ...(dataDir === undefined ? {} : { dataDir }),
  });
  const node = await startNode({ config, memory, logger });
  const stop = () => node.stop();
  return {
    bootstrapServers: node.listeners
      .flatMap(({ advertised }) =>
        advertised === undefined ? [] : [`${advertised.host}:${advertised.port}`],
      )
      .join(','),
    clusterId: node.clusterId,
    group: (groupId) => node.group(groupId),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
