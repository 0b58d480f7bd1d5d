import { dumpLogOptionTexts } from './dump-log/options.ts';
import { nodeOptionTexts, startOptionTexts } from './node-options.ts';

export type Command = 'start' | 'stop' | 'status' | 'dump-log';

export const commandTexts: Readonly<Record<Command, string>> = {
  start: 'Start a broker (with its own controller)',
  stop: 'Stop the broker of a data directory',
  status: 'Say whether a broker serves, and what',
  'dump-log': 'Print what is in the files of a log',
};

type OptionTexts = Readonly<
  Record<string, { readonly type: 'string' | 'boolean'; readonly multiple: boolean; readonly text: string }>
>;

export const stopOptionTexts = {
  timeout: { type: 'string', multiple: false, text: 'Seconds to wait for it to drain (30)' },
  force: { type: 'boolean', multiple: false, text: 'Kill it when that time is over' },
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
  'dump-log': dumpLogOptionTexts,
};

const NODE_ARGUMENTS = '[server.properties] [options]';

const argumentsOf: Readonly<Record<Command, string>> = {
  start: NODE_ARGUMENTS,
  stop: NODE_ARGUMENTS,
  status: NODE_ARGUMENTS,
  'dump-log': '--files FILE,... [options]',
};

const epilogues: Readonly<Record<Command, string>> = {
  start:
    'Without a file: profile dev, PLAINTEXT://localhost:9092, data in ./odradek-data. A file gets the defaults of Apache Kafka.',
  stop: 'Takes the file and options that the broker was started with.',
  status: 'Ends with 0 where the broker answers, else with 1.',
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
