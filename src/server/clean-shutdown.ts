import type { Storage } from '../base/ports.ts';

const MARKER = '.kafka_cleanshutdown';
const MARKER_BYTES_MAX = 4096;

/**
 * The broker epoch in the clean-shutdown marker of a log dir (KIP-966), -1 where the marker names none, undefined where
 * there is no marker.
 */
export function readCleanShutdown(storage: Storage, dir: string): number | undefined {
  const path = `${dir}/${MARKER}`;
  const size = storage.sizeOf(path);
  if (size === undefined) return undefined;
  if (size === 0 || size > MARKER_BYTES_MAX) return -1;
  const bytes = Buffer.alloc(size);
  const file = storage.open(path, 'read');
  try {
    file.read(bytes, 0);
  } finally {
    file.close();
  }
  return epochIn(bytes.toString('utf8'));
}

function epochIn(text: string): number {
  try {
    const content: unknown = JSON.parse(text);
    if (typeof content !== 'object' || content === null || !('brokerEpoch' in content)) return -1;
    return typeof content.brokerEpoch === 'number' ? content.brokerEpoch : -1;
  } catch {
    return -1;
  }
}
