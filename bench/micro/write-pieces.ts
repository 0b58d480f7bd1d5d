/**
 * Processor time of the kernel for appends of large batches to a growing file, in one call each and in pieces: it is the
 * page cache's pages that cost, and their price depends on the size they are taken in. `node bench/micro/run.mjs write-pieces`
 */
import { closeSync, fstatSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check, column } from './measure.ts';

const TOTAL_BYTES = 1e9;
const ROUNDS = 5;
/** In which the host may take back what the last file left free. */
const PAUSE_MS = 3000;
const whole = Number.POSITIVE_INFINITY;

const batches = [261_599, 1_047_000];
const pieces = [16_384, 65_536, 262_144, whole];
const bytes = Buffer.alloc(Math.max(...batches), 1);
const dir = mkdtempSync(join(tmpdir(), 'odradek-bench-'));

function secondsPerGb(batchBytes: number, pieceBytes: number): number {
  const path = join(dir, 'log');
  const fd = openSync(path, 'w');
  const before = process.cpuUsage();
  let at = 0;
  while (at < TOTAL_BYTES) {
    for (let from = 0; from < batchBytes; from += pieceBytes) {
      writeSync(fd, bytes, from, Math.min(pieceBytes, batchBytes - from), at + from);
    }
    at += batchBytes;
  }
  const { system, user } = process.cpuUsage(before);
  check(fstatSync(fd).size === at, 'the size of the file');
  closeSync(fd);
  rmSync(path);
  return (system + user) / 1e6 / (at / 1e9);
}

console.log(`CPU s/GB, lowest, median and highest of ${ROUNDS}`);
try {
  for (const batch of batches) {
    const samples = new Map<number, number[]>(pieces.map((piece) => [piece, []]));
    for (let round = 0; round < ROUNDS; round++) {
      // Each piece size comes behind another one in every round.
      for (let i = 0; i < pieces.length; i++) {
        const piece = pieces[(i * (round % 2 === 0 ? 1 : 3) + round) % pieces.length]!;
        samples.get(piece)!.push(secondsPerGb(batch, piece));
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    }
    for (const [piece, values] of samples) {
      values.sort((a, b) => a - b);
      const figures = [values[0]!, values[ROUNDS >> 1]!, values.at(-1)!].map((value) => column(value));
      console.log(
        `batches of ${batch}, pieces of ${piece === whole ? 'any size' : piece}`.padEnd(44),
        ...figures,
      );
    }
  }
} finally {
  rmSync(dir, { recursive: true, force: true });
}
