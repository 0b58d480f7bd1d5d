import { dumpLogOptionTexts } from './dump-log/options.ts';
import { nodeOptionTexts, startOptionTexts } from './node-options.ts';

export type Command = 'start' | 'stop' | 'status' | 'verify-log' | 'dump-log';

export const commandTexts: Readonly<Record<Command, string>> = {
  start: 'Start a broker (with its own controller)',
  stop: 'Stop the broker of a data directory',
  status: 'Say whether a broker serves, and what',
  'verify-log': 'Say what a start would repair in a data directory, or do it',
  'dump-log': 'Print what is in the files of a log',
};

type OptionTexts = Readonly<
  Record<string, { readonly type: 'string' | 'boolean'; readonly multiple: boolean; readonly text: string }>
>;

export const stopOptionTexts = {
  timeout: { type: 'string', multiple: false, text: 'Seconds to wait for it to drain (30)' },
  force: { type: 'boolean', multiple: false, text: 'Kill it when that time is over' },
} as const;

export const verifyLogOptionTexts = {
  repair: {
    type: 'boolean',
    multiple: false,
    text: 'Do what a start would do, and leave the directory as after a clean stop',
  },
  full: {
    type: 'boolean',
    multiple: false,
    text: 'Believe nothing: read and check every batch, and compare every index',
  },
  kept: {
    type: 'boolean',
    multiple: false,
    text: 'Say of each partition what keeps its oldest segment, and how far it is compacted',
  },
  config: {
    type: 'string',
    multiple: false,
    text: 'The server.properties of the broker, where it changes what logs are like',
  },
} as const;

export const statusOptionTexts = {
  'bootstrap-server': {
    type: 'string',
    multiple: false,
    text: 'Ask this host:port instead of the local node',
  },
  timeout: { type: 'string', multiple: false, text: 'Seconds to wait for an answer (5)' },
  json: { type: 'boolean', multiple: false, text: 'Answer in one line of JSON' },
} as const;

const optionsOf: Readonly<Record<Command, OptionTexts>> = {
  start: startOptionTexts,
  stop: { ...nodeOptionTexts, ...stopOptionTexts },
  status: { ...nodeOptionTexts, ...statusOptionTexts },
  'verify-log': verifyLogOptionTexts,
  'dump-log': dumpLogOptionTexts,
};

const NODE_ARGUMENTS = '[server.properties] [options]';

const argumentsOf: Readonly<Record<Command, string>> = {
  start: NODE_ARGUMENTS,
  stop: NODE_ARGUMENTS,
  status: NODE_ARGUMENTS,
  'verify-log': 'DIR [options]',
  'dump-log': '--files FILE,... [options]',
};

const epilogues: Readonly<Record<Command, string>> = {
  start:
    'Without a file: profile dev, PLAINTEXT://localhost:9092, data in ./odradek-data. A file gets the defaults of Apache Kafka.',
  stop: 'Takes the file and options that the broker was started with.',
  status: 'Ends with 0 where the broker answers, else with 1.',
  'verify-log':
    'DIR is a log dir, or the folder of one partition, of a broker that does not run. Ends with 0 where nothing is to be done, with 2 where something is, with 1 where it could not be checked or repaired.',
  'dump-log':
    'Options and output are those of kafka-dump-log. Reads .log, .index, .timeindex, .txnindex, .snapshot and .checkpoint files; a decoder implies --print-data-log.',
};

/** The text that `--help` prints; yargs is loaded for it alone. */
export async function helpText(command: Command | undefined): Promise<string> {
  const { default: yargs } = await import('yargs');
  const parser = yargs([]).scriptName('broker').version(false).help(false).wrap(100);
  if (command === undefined) {
    parser.usage('$0 <command> [options]');
    for (const [name, text] of Object.entries(commandTexts)) parser.command(name, text);
    return parser.epilogue('broker <command> --help tells more; broker --version, the version.').getHelp();
  }
  parser.usage(`$0 ${command} ${argumentsOf[command]}\n\n${commandTexts[command]}`);
  for (const [name, { type, multiple, text }] of Object.entries(optionsOf[command])) {
    parser.option(name, { type: multiple ? 'array' : type, describe: text });
  }
  return parser.epilogue(epilogues[command]).getHelp();
}
