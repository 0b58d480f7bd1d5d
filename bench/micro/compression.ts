/** The codecs: MB/s of plain data, and other packages beside them. `node bench/micro/run.mjs compression` */

import { decompressBlock } from 'lz4js';
import snappyjs from 'snappyjs';
import { newPositionTable } from '../../src/protocol/compression/copy.ts';
import { compress, decompress, prepareCodec } from '../../src/protocol/compression/index.ts';
import { decodeLz4Block, encodeLz4Block, lz4BlockBound } from '../../src/protocol/compression/lz4-block.ts';
import { payload } from '../../test/unit/protocol/compression/payloads.ts';
import { type Candidate, check, column, measure } from './measure.ts';

await prepareCodec('zstd');
const BLOCK = 65536;

function candidatesFor(plain: Buffer): { candidates: Candidate[]; sizes: Map<string, number> } {
  const candidates: Candidate[] = [];
  const sizes = new Map<string, number>();
  for (const [codec, level] of [
    ['gzip', 6],
    ['gzip', 1],
    ['snappy', undefined],
    ['lz4', undefined],
    ['zstd', 3],
    ['zstd', 1],
  ] as const) {
    const name = level === undefined ? codec : `${codec} ${level}`;
    const packed = compress(codec, plain, level);
    check(decompress(codec, packed, plain.length).equals(plain), name);
    sizes.set(name, packed.length);
    candidates.push({ name: `${name} +`, run: () => compress(codec, plain, level) });
    candidates.push({ name: `${name} -`, run: () => decompress(codec, packed, plain.length) });
  }
  const theirs = snappyjs.compress(plain);
  check(Buffer.from(snappyjs.uncompress(theirs)).equals(plain), 'snappyjs');
  sizes.set('snappyjs', theirs.length);
  candidates.push({ name: 'snappyjs +', run: () => snappyjs.compress(plain) });
  candidates.push({ name: 'snappyjs -', run: () => snappyjs.uncompress(theirs) });

  const length = Math.min(BLOCK, plain.length);
  const block = Buffer.alloc(lz4BlockBound(length));
  const view = new DataView(plain.buffer, plain.byteOffset, plain.byteLength);
  const end = encodeLz4Block(plain, view, 0, length, block, 0, newPositionTable(65_536));
  const into = Buffer.alloc(length);
  check(
    decompressBlock(block, into, 0, end, 0) === length && into.equals(plain.subarray(0, length)),
    'lz4js',
  );
  sizes.set('block', end);
  sizes.set('lz4js block', end);
  candidates.push({ name: 'block -', run: () => decodeLz4Block(block, 0, end, into, 0, length, 0) });
  candidates.push({ name: 'lz4js block -', run: () => decompressBlock(block, into, 0, end, 0) });
  return { candidates, sizes };
}

for (const size of [1000, 16384, 1 << 20]) {
  const plain = payload('records', size);
  const { candidates, sizes } = candidatesFor(plain);
  const times = measure(candidates);
  console.log(`--- ${size} B of JSON-like records: MB/s to compress, to decompress, ratio`);
  for (const [name, packed] of sizes) {
    const bytes = name.includes('block') ? Math.min(BLOCK, size) : size;
    const rate = (suffix: string) => {
      const time = times.get(`${name} ${suffix}`);
      return time === undefined ? ' '.repeat(9) : column((bytes * 1000) / time);
    };
    console.log(`${name.padEnd(12)}${rate('+')}${rate('-')}${column(bytes / packed)}`);
  }
}
