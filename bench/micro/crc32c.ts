/** CRC-32C by length: what `crc32c` picks, and each way on its own. `node bench/micro/run.mjs crc32c` */
import reference from 'crc-32/crc32c.js';
import { crc32c } from '../../src/protocol/crc32c.ts';
import { updateByTable } from '../../src/protocol/crc32c-table.ts';
import { CHUNK, FoldingKernel, MIN_LONG, MIN_MIDDLE, MIN_SHORT } from '../../src/protocol/crc32c-wasm.ts';
import { type Candidate, check, column, measure } from './measure.ts';

const total = 4 << 20;
const bytes = Buffer.alloc(total);
for (let at = 0; at < total; at++) bytes[at] = Math.imul(at, 2654435761) >>> 13;
const kernel = FoldingKernel.compile();
if (kernel === undefined) throw new Error('no WebAssembly SIMD here');

type Way = (from: number, to: number) => number;
const ways: Record<string, { readonly least: number; readonly most: number; readonly way: Way }> = {
  crc32c: { least: 0, most: total, way: (from, to) => crc32c(bytes, from, to) },
  table: {
    least: 0,
    most: total,
    way: (from, to) => ~updateByTable(-1, new DataView(bytes.buffer, bytes.byteOffset), from, to) >>> 0,
  },
  short: { least: MIN_SHORT, most: CHUNK, way: (from, to) => ~kernel.short(-1, bytes, from, to) >>> 0 },
  middle: {
    least: MIN_MIDDLE,
    most: CHUNK,
    way: (from, to) => ~kernel.middle(-1, bytes, from, to) >>> 0,
  },
  long: { least: MIN_LONG, most: total, way: (from, to) => ~kernel.long(-1, bytes, from, to) >>> 0 },
  'crc-32': { least: 0, most: total, way: (from, to) => reference.buf(bytes.subarray(from, to)) >>> 0 },
};

const sizes = [
  40, 100, 256, 384, 512, 640, 768, 1024, 2048, 3072, 4096, 6144, 8192, 12288, 16384, 24576, 32768,
];
sizes.push(65536, 131072, 262144, 1 << 20);
for (const size of sizes) {
  for (const [name, { least, most, way }] of Object.entries(ways)) {
    if (size < least || size > most) continue;
    check(way(3, 3 + size) === reference.buf(bytes.subarray(3, 3 + size)) >>> 0, `${name} of ${size} bytes`);
  }
}

console.log(
  `GB/s${' '.repeat(4)}${Object.keys(ways)
    .map((name) => name.padStart(9))
    .join('')}`,
);
for (const size of sizes) {
  let at = 0;
  const candidates: Candidate[] = Object.entries(ways)
    .filter(([, { least, most }]) => size >= least && size <= most)
    .map(([name, { way }]) => ({
      name,
      run: () => {
        at += size;
        if (at + size > total) at = 0;
        return way(at, at + size);
      },
    }));
  const times = measure(candidates);
  const cells = Object.keys(ways).map((name) =>
    times.has(name) ? column(size / times.get(name)!) : ' '.repeat(9),
  );
  console.log(`${String(size).padStart(8)}${cells.join('')}  ${column(times.get('crc32c')!, 7)} ns`);
}
