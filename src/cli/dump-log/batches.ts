import type { Storage } from '../../base/ports.ts';
import * as header from '../../protocol/record-batch/header.ts';
import { type KafkaRecord, records } from '../../protocol/record-batch/index.ts';
import { controlText } from './control-records.ts';
import { DumpError } from './dump-error.ts';
import { baseName, batchesOf, type FileBatch, offsetInName, openFile } from './files.ts';
import type { Findings } from './findings.ts';
import type { DumpLogOptions } from './options.ts';
import { type RecordDecoder, recordDecoder } from './record-decoders.ts';

const INT32_MAX = 0x7fffffff;
const BOOTSTRAP_CHECKPOINT = 'bootstrap.checkpoint';

/** The lines of a segment or of a metadata snapshot. Throws {@link DumpError}. */
export function* dumpBatches(
  storage: Storage,
  path: string,
  options: DumpLogOptions,
  findings: Findings,
): Generator<string, void, undefined> {
  const file = openFile(storage, path);
  const decoder = recordDecoder(options);
  try {
    yield titleOf(path);
    const end = Math.min(file.size(), options.maxBytes);
    let validBytes = 0;
    let lastOffset = -1;
    for (const batch of batchesOf(file, 0, end)) {
      checkFormat(path, batch);
      yield batchLine(batch);
      if (options.deep) {
        for (const record of recordsOf(path, batch)) {
          if (record.offset !== lastOffset + 1) findings.gap(path, lastOffset, record.offset);
          lastOffset = record.offset;
          yield recordLine(path, batch, record, options, decoder);
        }
      }
      validBytes += batch.bytes.length;
    }
    if (end > validBytes && options.maxBytes === INT32_MAX) {
      yield `Found ${end - validBytes} invalid bytes at the end of ${baseName(path)}`;
    }
  } finally {
    file.close();
  }
}

function titleOf(path: string): string {
  const name = baseName(path);
  if (name.endsWith('.log')) return `Log starting offset: ${offsetInName(path)}`;
  if (name === BOOTSTRAP_CHECKPOINT) return 'KRaft bootstrap snapshot';
  const [, offset, epoch] = /^(\d+)-(\d+)\.checkpoint$/.exec(name) ?? [];
  if (offset === undefined || epoch === undefined) {
    throw new DumpError(`${path} is not named like a metadata snapshot, OFFSET-EPOCH.checkpoint`);
  }
  return `Snapshot end offset: ${Number(offset)}, epoch: ${Number(epoch)}`;
}

function checkFormat(path: string, { magic, position, bytes }: FileBatch): void {
  if (magic === header.CURRENT_MAGIC && bytes.length >= header.BATCH_OVERHEAD) return;
  const what =
    magic === header.CURRENT_MAGIC ? `is cut short` : `has format ${magic}, which is not known here`;
  throw new DumpError(`${path}: the batch at position ${position} ${what}`);
}

function batchLine({ bytes, position }: FileBatch): string {
  const horizon = header.hasDeleteHorizon(bytes, 0) ? `[${header.baseTimestamp(bytes, 0)}]` : '.empty';
  const codec = header.compressionOf(bytes, 0) ?? `unknown(${header.compressionId(bytes, 0)})`;
  return (
    `baseOffset: ${header.baseOffset(bytes, 0)} lastOffset: ${header.lastOffset(bytes, 0)}` +
    ` count: ${header.recordCount(bytes, 0)} baseSequence: ${header.baseSequence(bytes, 0)}` +
    ` lastSequence: ${header.lastSequence(bytes, 0)} producerId: ${header.producerId(bytes, 0)}` +
    ` producerEpoch: ${header.producerEpoch(bytes, 0)}` +
    ` partitionLeaderEpoch: ${header.partitionLeaderEpoch(bytes, 0)}` +
    ` isTransactional: ${header.isTransactional(bytes, 0)} isControl: ${header.isControl(bytes, 0)}` +
    ` deleteHorizonMs: OptionalLong${horizon} position: ${position}` +
    ` ${header.timestampType(bytes, 0)}: ${header.maxTimestamp(bytes, 0)} size: ${bytes.length}` +
    ` magic: ${header.magic(bytes, 0)} compresscodec: ${codec} crc: ${header.crc(bytes, 0)}` +
    ` isvalid: ${header.crcIsValid(bytes, 0)}`
  );
}

/** The records of a batch, sound ones only. Throws {@link DumpError}. */
export function* recordsOf(
  path: string,
  { bytes, position }: FileBatch,
): Generator<KafkaRecord, void, undefined> {
  const walk = records(bytes);
  for (;;) {
    let next: IteratorResult<KafkaRecord, void>;
    try {
      next = walk.next();
    } catch (error) {
      throw new DumpError(
        `${path}: the records of the batch at position ${position} can't be read: ${(error as Error).message}`,
      );
    }
    if (next.done === true) return;
    yield next.value;
  }
}

function recordLine(
  path: string,
  batch: FileBatch,
  record: KafkaRecord,
  options: DumpLogOptions,
  decoder: RecordDecoder,
): string {
  const isControl = header.isControl(batch.bytes, 0);
  let line = options.recordMetadata ? metadataText(path, batch, record, isControl) : '';
  if (!options.contents || isControl) return line;
  const { key, value } = decoder(record);
  let indent = options.recordMetadata ? ' ' : '| ';
  if (key !== undefined) {
    line += `${indent}key: ${key}`;
    indent = ' ';
  }
  return value === undefined ? line : `${line}${indent}payload: ${value}`;
}

function metadataText(
  path: string,
  { bytes, position }: FileBatch,
  record: KafkaRecord,
  isControl: boolean,
): string {
  const base = header.baseSequence(bytes, 0);
  const sequence = base < 0 ? -1 : header.addToSequence(base, record.offset - header.baseOffset(bytes, 0));
  const text =
    `| offset: ${record.offset} ${header.timestampType(bytes, 0)}: ${record.timestamp}` +
    ` keySize: ${record.key?.length ?? -1} valueSize: ${record.value?.length ?? -1} sequence: ${sequence}` +
    ` headerKeys: [${record.headers.map(({ key }) => key).join(',')}]`;
  if (!isControl) return text;
  try {
    return text + controlText(record);
  } catch (error) {
    throw new DumpError(
      `${path}: the control record at position ${position} can't be read: ${(error as Error).message}`,
    );
  }
}
