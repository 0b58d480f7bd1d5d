/**
 * A broker in a process of its own, for tests that attack it: tells its address and what it logs to whoever started it,
 * and on demand the most memory that was resident since the last time.
 */

import type { Logger } from '../../src/base/ports.ts';
import { BrokerConfig } from '../../src/config/broker-config.ts';
import { startNode } from '../../src/server/main.ts';

export type FromBroker =
  | { readonly kind: 'started'; readonly port: number; readonly controllerPort: number }
  | { readonly kind: 'memory'; readonly residentBytes: number }
  | { readonly kind: 'log'; readonly level: 'warn' | 'error'; readonly text: string };

const SAMPLE_MS = 20;

const tell = (message: FromBroker) => process.send?.(message);
const log =
  (level: 'warn' | 'error'): Logger['warn'] =>
  (message, fields) =>
    tell({ kind: 'log', level, text: `${message} ${JSON.stringify(fields ?? {})}` });
const logger: Logger = {
  debug: () => {},
  info: () => {},
  warn: log('warn'),
  error: log('error'),
  child: () => logger,
};

let residentBytes = 0;
const sample = () => {
  residentBytes = Math.max(residentBytes, process.memoryUsage.rss());
};
setInterval(sample, SAMPLE_MS);
process.on('message', () => {
  sample();
  tell({ kind: 'memory', residentBytes });
  residentBytes = 0;
});
process.on('disconnect', () => process.exit());

const config = BrokerConfig.parse({
  profile: 'dev',
  dataDir: process.argv[2]!,
  overrides: new Map([
    ['process.roles', 'broker,controller'],
    ['node.id', '1'],
    ['listeners', 'PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0'],
    ['controller.listener.names', 'CONTROLLER'],
    ['listener.security.protocol.map', 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT'],
    ['controller.quorum.bootstrap.servers', '127.0.0.1:9093'],
    ...Object.entries(JSON.parse(process.argv[3]!) as Record<string, string>),
  ]),
});
const node = await startNode({ config, memory: false, logger });
const portOf = (name: string) => node.listeners.find((one) => one.name === name)!.bound.port;
tell({ kind: 'started', port: portOf('PLAINTEXT'), controllerPort: portOf('CONTROLLER') });
