/** Batches of format 2 as message sets, for consumers that know nothing newer. */
import { compressionOf, isControl, maxTimestamp, timestampType } from './header.ts';
import { MessageSetBuilder, type OldMagic } from './message-set-builder.ts';
import { InvalidRecordError, records } from './records.ts';

const NOTHING = Buffer.alloc(0);

/** zstd is younger than the formats 0 and 1, and no client that reads those knows it (KIP-110). */
export class NoDownConversionError extends Error {
  constructor() {
    super('a batch compressed by zstd has no form in an older message format');
    this.name = 'NoDownConversionError';
  }
}

/**
 * The batch at `at` as a message set. Control batches come out empty, headers are left out; what lies before `firstOffset`
 * is left out unless it is compressed together with the rest, as old clients expect it. Throws
 * {@link NoDownConversionError}, and as `records`.
 */
export function toMessageSet(
  bytes: Uint8Array,
  at: number,
  magic: OldMagic,
  firstOffset: number,
  maxPlainBytes?: number,
): Buffer {
  if (isControl(bytes, at)) return NOTHING;
  const compression = compressionOf(bytes, at);
  if (compression === 'zstd') throw new NoDownConversionError();
  if (compression === undefined) throw new InvalidRecordError('codec', 'unknown compression id');
  const type = timestampType(bytes, at);
  const builder = new MessageSetBuilder({
    magic,
    compression,
    timestampType: type,
    logAppendTime: type === 'LogAppendTime' ? maxTimestamp(bytes, at) : undefined,
  });
  const options = maxPlainBytes === undefined ? { at } : { at, maxPlainBytes };
  for (const { offset, timestamp, key, value } of records(bytes, options)) {
    if (compression === 'none' && offset < firstOffset) continue;
    // The older formats know no time before 1970; -1 stands for none.
    builder.append(offset, timestamp < 0n ? -1n : timestamp, key, value);
  }
  return builder.build();
}
