import type { Storage } from '../../base/ports.ts';
import * as header from '../../protocol/record-batch/header.ts';
import type { BatchFormat, DumpedRecord } from './batch-format.ts';
import { currentFormat } from './current-format.ts';
import { DumpError } from './dump-error.ts';
import { baseName, batchesOf, type FileBatch, offsetInName, openFile } from './files.ts';
import type { Findings } from './findings.ts';
import { oldFormat } from './old-format.ts';
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
      const format = formatOf(path, batch);
      yield readable(path, batch, () => format.line(batch.bytes, batch.position));
      if (options.deep) {
        for (const record of recordsOf(path, batch)) {
          if (record.offset !== lastOffset + 1) findings.gap(path, lastOffset, record.offset);
          lastOffset = record.offset;
          const isControl = format.isControl(batch.bytes);
          yield readable(path, batch, () => recordLine(record, isControl, options, decoder));
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

/** Throws {@link DumpError} where nobody knows the format. */
export function formatOf(path: string, { magic, position, bytes }: FileBatch): BatchFormat {
  if (magic === 0 || magic === 1) return oldFormat;
  if (magic === header.CURRENT_MAGIC && bytes.length >= header.BATCH_OVERHEAD) return currentFormat;
  const what =
    magic === header.CURRENT_MAGIC ? 'is cut short' : `has format ${magic}, which is not known here`;
  throw new DumpError(`${path}: the batch at position ${position} ${what}`);
}

/** The records of a batch, sound ones only. Throws {@link DumpError}. */
export function* recordsOf(path: string, batch: FileBatch): Generator<DumpedRecord, void, undefined> {
  const walk = formatOf(path, batch).records(batch.bytes);
  for (;;) {
    const next = readable(path, batch, () => walk.next());
    if (next.done === true) return;
    yield next.value;
  }
}

function readable<T>(path: string, { position }: FileBatch, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof DumpError) throw error;
    throw new DumpError(
      `${path}: the batch at position ${position} can't be read: ${(error as Error).message}`,
    );
  }
}

function recordLine(
  record: DumpedRecord,
  isControl: boolean,
  options: DumpLogOptions,
  decoder: RecordDecoder,
): string {
  let line = options.recordMetadata ? record.metadata() : '';
  if (!options.contents || isControl) return line;
  const { key, value } = decoder(record);
  let indent = options.recordMetadata ? ' ' : '| ';
  if (key !== undefined) {
    line += `${indent}key: ${key}`;
    indent = ' ';
  }
  return value === undefined ? line : `${line}${indent}payload: ${value}`;
}
