import { parseArgs } from 'node:util';
import { UsageError } from '../usage-error.ts';
import { builtInDecoder, type PlainDecoder } from './plain-decoders.ts';

/** Whose records a file holds, where it is not a user's topic. */
export type InternalTopic = 'offsets' | 'transaction-log' | 'cluster-metadata' | 'share-group-state';

export interface IndexOptions {
  readonly verifyIndexOnly: boolean;
  readonly indexSanityOnly: boolean;
  /** The largest batch that an index entry may point to, in bytes. */
  readonly maxMessageSize: number;
}

export interface DumpLogOptions extends IndexOptions {
  readonly files: readonly string[];
  readonly deep: boolean;
  readonly contents: boolean;
  readonly recordMetadata: boolean;
  /** No batch that ends behind so many bytes of a file is read. */
  readonly maxBytes: number;
  readonly internalTopic: InternalTopic | undefined;
  readonly keyDecoder: PlainDecoder;
  readonly valueDecoder: PlainDecoder;
}

export const dumpLogOptionTexts = {
  files: { type: 'string', multiple: true, text: 'The files, separated by commas' },
  'print-data-log': { type: 'boolean', multiple: false, text: 'Print keys and values too' },
  'deep-iteration': {
    type: 'boolean',
    multiple: false,
    text: 'Print a line for each record, not only for each batch',
  },
  'skip-record-metadata': {
    type: 'boolean',
    multiple: false,
    text: 'Print keys and values alone',
  },
  'key-decoder-class': {
    type: 'string',
    multiple: false,
    text: 'How to print keys: StringDecoder (the default), IntegerDecoder, LongDecoder or DefaultDecoder (hexadecimal)',
  },
  'value-decoder-class': { type: 'string', multiple: false, text: 'The same for values' },
  'offsets-decoder': { type: 'boolean', multiple: false, text: 'The files are of __consumer_offsets' },
  'transaction-log-decoder': {
    type: 'boolean',
    multiple: false,
    text: 'The files are of __transaction_state',
  },
  'cluster-metadata-decoder': {
    type: 'boolean',
    multiple: false,
    text: 'The files are of __cluster_metadata',
  },
  'share-group-state-decoder': {
    type: 'boolean',
    multiple: false,
    text: 'The files are of __share_group_state',
  },
  'remote-log-metadata-decoder': {
    type: 'boolean',
    multiple: false,
    text: 'Refused: there is no tiered storage here',
  },
  'index-sanity-check': {
    type: 'boolean',
    multiple: false,
    text: 'Say only whether an index would be taken as it is at a start',
  },
  'verify-index-only': {
    type: 'boolean',
    multiple: false,
    text: 'Check indexes against the log beside them without printing them',
  },
  'max-message-size': {
    type: 'string',
    multiple: false,
    text: 'Bytes of the largest batch behind an index entry (5242880)',
  },
  'max-bytes': { type: 'string', multiple: false, text: 'Read no further than so many bytes of each file' },
} as const;

const OPTIONAL_VALUES = ['key-decoder-class', 'value-decoder-class'];
const INT32_MAX = 0x7fffffff;
const DEFAULT_MAX_MESSAGE_SIZE = 5 * 1024 * 1024;

type Value = string | boolean | readonly string[] | undefined;
type Values = ReadonlyMap<string, Value>;

/** Throws {@link UsageError}. */
export function parseDumpLogOptions(args: readonly string[]): DumpLogOptions {
  const values = parse(args);
  const files = ((values.get('files') as readonly string[] | undefined) ?? [])
    .flatMap((list) => list.split(','))
    .filter((file) => file !== '');
  if (files.length === 0) throw new UsageError('--files takes the files to print, separated by commas');
  if (values.get('remote-log-metadata-decoder') === true) {
    throw new UsageError(
      '--remote-log-metadata-decoder is not supported: this broker has no tiered storage. --print-data-log prints the records undecoded',
    );
  }
  const internalTopic = internalTopicOf(values);
  const hasDecoder =
    internalTopic !== undefined || OPTIONAL_VALUES.some((name) => values.get(name) !== undefined);
  const contents = values.get('print-data-log') === true || hasDecoder;
  return {
    files,
    deep: values.get('deep-iteration') === true || contents,
    contents,
    recordMetadata: values.get('skip-record-metadata') !== true,
    verifyIndexOnly: values.get('verify-index-only') === true,
    indexSanityOnly: values.get('index-sanity-check') === true,
    maxMessageSize: bytes('--max-message-size', values.get('max-message-size')) ?? DEFAULT_MAX_MESSAGE_SIZE,
    maxBytes: bytes('--max-bytes', values.get('max-bytes')) ?? INT32_MAX,
    internalTopic,
    keyDecoder: builtInDecoder('--key-decoder-class', values.get('key-decoder-class') as string | undefined),
    valueDecoder: builtInDecoder(
      '--value-decoder-class',
      values.get('value-decoder-class') as string | undefined,
    ),
  };
}

function parse(args: readonly string[]): Values {
  const options = Object.fromEntries(
    Object.entries(dumpLogOptionTexts).map(([name, { type, multiple }]) => [name, { type, multiple }]),
  );
  try {
    const { values } = parseArgs({
      args: withOptionalValues(args),
      options,
      strict: true,
      allowPositionals: false,
    });
    return new Map(Object.entries(values) as [string, Value][]);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** The options whose value may be left out get it, since Node's parser knows no such thing. */
function withOptionalValues(args: readonly string[]): string[] {
  return args.flatMap((arg, at) => {
    const next = args[at + 1];
    const isBare = OPTIONAL_VALUES.includes(arg.slice(2)) && (next === undefined || next.startsWith('-'));
    return isBare ? [arg, 'StringDecoder'] : [arg];
  });
}

/** The first one in the order of the official tool where several are given. */
function internalTopicOf(values: Values): InternalTopic | undefined {
  const topics = ['offsets', 'transaction-log', 'cluster-metadata', 'share-group-state'] as const;
  return topics.find((topic) => values.get(`${topic}-decoder`) === true);
}

function bytes(option: string, value: Value): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (!/^[0-9]+$/.test(String(value)) || number > INT32_MAX) {
    throw new UsageError(`${option} takes a number of bytes up to ${INT32_MAX}, not ${value}`);
  }
  return number;
}
