import type { Endpoint, Logger } from '../base/ports.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import { realPorts } from '../io/index.ts';
import { holdingProcess } from '../io/process-hold.ts';
import type { StartFlags } from '../io/start-flags.ts';
import type { BrokerGroup } from './group-inspection.ts';
import { BrokerNode } from './node.ts';

/** Beside this module, in the bundle as in the sources. */
const WORKER_ENTRY = new URL(
  import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js',
  import.meta.url,
);

export interface StartNodeOptions {
  readonly config: BrokerConfig;
  /** Keep all data in memory. */
  readonly memory: boolean;
  readonly logger: Logger;
  readonly clusterId?: string | undefined;
  /** Once aborted, a start that is under way is cut short: it rejects with `StartInterruptedError`, its dirs closed. */
  readonly stopping?: AbortSignal | undefined;
  /** Whoever runs the start with them; only where the process is a broker and nothing else. */
  readonly startFlags?: StartFlags | undefined;
}

export interface StartedNode {
  readonly listeners: readonly {
    readonly name: string;
    readonly bound: Endpoint;
    readonly advertised: Endpoint | undefined;
  }[];
  readonly clusterId: string;
  readonly nodeId: number;
  /** Settles, with the reason, when the node had to stop by itself. */
  readonly failed: Promise<Error>;
  group(groupId: string): BrokerGroup;
  stop(): Promise<void>;
}

/** Starts a node on this machine's ports; resolves when it serves. */
export async function startNode(options: StartNodeOptions): Promise<StartedNode> {
  const { config, memory, logger, clusterId, stopping, startFlags } = options;
  let fail: (error: Error) => void = () => {};
  const failed = new Promise<Error>((resolve) => {
    fail = resolve;
  });
  const node = new BrokerNode({
    ports: realPorts({ logger, memory, workerEntry: WORKER_ENTRY, startFlags }),
    config,
    clusterId,
    onFatal: (error) => fail(error),
  });
  const interrupt = () => void node.stop();
  stopping?.addEventListener('abort', interrupt);
  try {
    await node.start();
  } finally {
    stopping?.removeEventListener('abort', interrupt);
  }
  return {
    listeners: node.listeners,
    clusterId: node.clusterId,
    nodeId: node.nodeId,
    failed,
    group: (groupId) => node.group(groupId),
    stop: () => holdingProcess(node.stop()),
  };
}
