/** The walk over records: nanoseconds a record. `node bench/micro/run.mjs walk` */
import {
  BatchBuilder,
  baseTimestamp,
  RECORDS_AT,
  records,
  walkRecords,
} from '../../src/protocol/record-batch/index.ts';
import { check, column, measure } from './measure.ts';

const RECORDS = 1000;

interface Shape {
  readonly name: string;
  readonly batch: Buffer;
}

function shape(name: string, valueBytes: (index: number) => number, headers: number): Shape {
  const builder = new BatchBuilder();
  for (let index = 0; index < RECORDS; index++) {
    builder.append({
      timestamp: 1_700_000_000_000 + index * 3,
      key: Buffer.alloc(8, index),
      value: Buffer.alloc(valueBytes(index), index),
      headers: Array.from({ length: headers }, (_, at) => ({ key: `header-${at}`, value: Buffer.alloc(10) })),
    });
  }
  return { name, batch: builder.build() };
}

const shapes = [
  shape('10 B values', () => 10, 0),
  shape('80 B values', () => 80, 0),
  shape('20-150 B values', (index) => 20 + ((index * 7919) % 130), 0),
  shape('1000 B values', () => 1000, 0),
  shape('80 B, 2 headers', () => 80, 2),
];

for (const { name, batch } of shapes) {
  const walk = walkRecords(batch, RECORDS_AT, batch.length, RECORDS);
  check(walk.failure === undefined && walk.records === RECORDS && walk.maxTimestampDelta === 2997, name);
  check([...records(batch)].at(-1)?.timestamp === baseTimestamp(batch, 0) + 2997n, name);
  const times = measure([
    { name: 'walk', run: () => walkRecords(batch, RECORDS_AT, batch.length, RECORDS).records },
    { name: 'iterator', run: () => [...records(batch)].length },
  ]);
  const walkNs = times.get('walk')! / RECORDS;
  const gigabytes = batch.length / times.get('walk')!;
  console.log(
    `${name.padEnd(18)} walk ${column(walkNs, 6)} ns a record (${column(gigabytes, 6)} GB/s)` +
      `  iterator ${column(times.get('iterator')! / RECORDS, 6)} ns`,
  );
}
