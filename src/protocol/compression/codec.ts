/** The compression codecs of record batches and what can go wrong with their bytes. */

export type CompressionCodec = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';

const CODECS: readonly CompressionCodec[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];

const IDS = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const satisfies Record<
  CompressionCodec,
  number
>;

/** The codec of an id (the low three bits of a batch's attributes); undefined for ids that Kafka does not know. */
export function codecOfId(id: number): CompressionCodec | undefined {
  return CODECS[id];
}

export function codecId(codec: CompressionCodec): number {
  return IDS[codec];
}

/** Narrows a configured or parsed name. */
export function isCompressionCodec(name: string): name is CompressionCodec {
  return Object.hasOwn(IDS, name);
}

/** The bytes are not what the codec writes. */
export class CorruptCompressionError extends Error {
  readonly codec: CompressionCodec;
  constructor(codec: CompressionCodec, message: string, options?: ErrorOptions) {
    super(`${codec}: ${message}`, options);
    this.name = 'CorruptCompressionError';
    this.codec = codec;
  }
}

/** The plain form is, or claims to be, larger than the caller allowed. */
export class OutputTooLargeError extends Error {
  readonly codec: CompressionCodec;
  readonly maxOutputBytes: number;
  constructor(codec: CompressionCodec, maxOutputBytes: number) {
    super(`${codec}: the plain form exceeds ${maxOutputBytes} bytes`);
    this.name = 'OutputTooLargeError';
    this.codec = codec;
    this.maxOutputBytes = maxOutputBytes;
  }
}
