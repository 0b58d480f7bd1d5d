import { UsageError } from '../usage-error.ts';
import { DumpError } from './dump-error.ts';

/** The text of a key or value of a user's topic. */
export type PlainDecoder = (bytes: Uint8Array) => string;

const view = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

function atLeast(bytes: Uint8Array, count: number, what: string): Buffer {
  if (bytes.length >= count) return view(bytes);
  throw new DumpError(
    `${what} takes ${count} bytes, and a record has ${bytes.length}; another decoder may fit`,
  );
}

/** The decoders that come with Apache Kafka, by the name of their class without its package. */
const decoders: Readonly<Record<string, PlainDecoder>> = {
  StringDecoder: (bytes) => view(bytes).toString('utf8'),
  IntegerDecoder: (bytes) => String(atLeast(bytes, 4, 'IntegerDecoder').readInt32BE()),
  LongDecoder: (bytes) => String(atLeast(bytes, 8, 'LongDecoder').readBigInt64BE()),
  DefaultDecoder: (bytes) => view(bytes).toString('hex'),
};

const PACKAGE = /^(org\.apache\.kafka\.tools\.api|kafka\.serializer)\./;

/** By the class name that the official tool takes, or without its package. Throws {@link UsageError}. */
export function builtInDecoder(option: string, className = 'StringDecoder'): PlainDecoder {
  const name = className.replace(PACKAGE, '');
  if (Object.hasOwn(decoders, name)) return decoders[name]!;
  throw new UsageError(
    `${option} can't load ${className}, a Java class: ${Object.keys(decoders).join(', ')} are built in`,
  );
}
