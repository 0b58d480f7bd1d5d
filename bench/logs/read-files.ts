import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Reads the segments of a log as a broker's reader would have it do, without the broker: at a rate, for a time, again and
 * again from the start. What a producer feels of this, it feels of the machine.
 * read-files.mjs DIR BYTES-PER-SECOND MS
 */

const READ_BYTES = 128 * 1024;

const [dir = '', rate, ms] = process.argv.slice(2);
const bytesPerMs = Number(rate) / 1000;
const files = readdirSync(dir)
  .filter((file) => file.endsWith('.log'))
  .sort();
const buffer = Buffer.alloc(READ_BYTES);
const startedMs = performance.now();
let bytes = 0;
let at = 0;
let descriptor = openNext();

function openNext(): number {
  return openSync(join(dir, files[at++ % files.length] ?? ''), 'r');
}

function readOn(): void {
  for (;;) {
    const tookMs = performance.now() - startedMs;
    if (tookMs >= Number(ms)) return;
    if (bytes > tookMs * bytesPerMs) {
      setTimeout(readOn, 1);
      return;
    }
    const count = readSync(descriptor, buffer, 0, READ_BYTES, null);
    bytes += count;
    if (count === READ_BYTES) continue;
    closeSync(descriptor);
    descriptor = openNext();
  }
}

readOn();
