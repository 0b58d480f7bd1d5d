import { readFileSync } from 'node:fs';
import { ConfigError } from '../config/config-error.ts';
import { PropertiesSyntaxError } from '../config/properties.ts';
import type { Command } from './help.ts';
import { UsageError } from './usage-error.ts';

const commands: Readonly<Record<Command, (args: readonly string[]) => Promise<number>>> = {
  start: async (args) => (await import('./start-command.ts')).startCommand(args),
  stop: async (args) => (await import('./stop-command.ts')).stopCommand(args),
  status: async (args) => (await import('./status-command.ts')).statusCommand(args),
  'verify-log': async (args) => (await import('./verify-log-command.ts')).verifyLogCommand(args),
  'dump-log': async (args) => (await import('./dump-log-command.ts')).dumpLogCommand(args),
};

/** Runs the command line and sets the exit code of the process: 0, or 1 after a message on the standard error. */
export function main(args: readonly string[] = process.argv.slice(2)): void {
  // Whoever reads our output may leave; a broker lives on.
  process.stdout.on('error', () => {});
  process.stderr.on('error', () => {});
  run(args).then(
    (code) => {
      process.exitCode = code;
    },
    (error: unknown) => {
      process.stderr.write(`${messageOf(error)}\n`);
      process.exitCode = 1;
    },
  );
}

async function run(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === '--version' || name === 'version') {
    process.stdout.write(`${version()}\n`);
    return 0;
  }
  const command = isCommand(name) ? name : undefined;
  if (name === undefined || name === 'help' || isHelp(name) || rest.some(isHelp)) {
    const { helpText } = await import('./help.ts');
    const asked = command ?? (isCommand(rest[0]) ? rest[0] : undefined);
    process.stdout.write(`${await helpText(asked)}\n`);
    return name === undefined ? 1 : 0;
  }
  if (command === undefined) throw new UsageError(`There is no command ${name}`);
  return commands[command](rest);
}

const isHelp = (arg: string) => arg === '--help' || arg === '-h';

function isCommand(name: string | undefined): name is Command {
  return name !== undefined && Object.hasOwn(commands, name);
}

function messageOf(error: unknown): string {
  if (error instanceof UsageError) return `${error.message}\nbroker --help tells how it is used.`;
  if (error instanceof ConfigError || error instanceof PropertiesSyntaxError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
