/**
 * A broker in a process of its own, for tests that attack it: tells its address and what it logs to whoever started it,
 * and on demand the most memory that was resident since the last time.
 */

import type { Logger } from '../../src/base/ports.ts';
import { startBroker } from '../../src/index.ts';

export type FromBroker =
  | { readonly kind: 'started'; readonly bootstrapServers: string }
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

const broker = await startBroker({ dataDir: process.argv[2]!, logger });
tell({ kind: 'started', bootstrapServers: broker.bootstrapServers });
