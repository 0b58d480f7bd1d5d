import type { Storage } from '../base/ports.ts';
import { DiskStorage } from '../io/files.ts';
import { SystemRandom } from '../io/random.ts';
import { prepareCodec } from '../protocol/compression/index.ts';
import { dumpFile } from './dump-log/dump.ts';
import { DumpError } from './dump-log/dump-error.ts';
import { Findings } from './dump-log/findings.ts';
import { parseDumpLogOptions } from './dump-log/options.ts';

const CHUNK_CHARS = 64 * 1024;

export interface DumpLogEnvironment {
  readonly storage: Storage;
  /** Resolves to false once nobody reads any more. */
  readonly print: (text: string) => Promise<boolean>;
  readonly printError: (text: string) => void;
}

/** `broker dump-log`; resolves to 0, or to 1 where a file could not be printed to its end. */
export function dumpLogCommand(args: readonly string[]): Promise<number> {
  return dumpLog(args, {
    storage: new DiskStorage(new SystemRandom()),
    print: (text) => new Promise((done) => process.stdout.write(text, (error) => done(!error))),
    printError: (text) => process.stderr.write(text),
  });
}

/** Throws UsageError. */
export async function dumpLog(args: readonly string[], environment: DumpLogEnvironment): Promise<number> {
  const options = parseDumpLogOptions(args);
  const { storage, print, printError } = environment;
  // Batches are unfolded without waiting.
  await prepareCodec('zstd');
  const findings = new Findings();
  let code = 0;
  for (const file of options.files) {
    const path = file.replace(/(?<=.)\/+$/, '').replace(/\/+/g, '/');
    const lines = dumpFile(storage, path, options, findings);
    if (!(await print(`Dumping ${path}\n`))) return code;
    if (lines === undefined) {
      printError(
        `${path} is left out: it is no .log, .index, .timeindex, .txnindex, .snapshot or .checkpoint file\n`,
      );
      continue;
    }
    const failure = new LineFailure();
    for (const chunk of chunksOf(lines, failure)) if (!(await print(chunk))) return code;
    if (failure.message === undefined) continue;
    printError(`${failure.message}\n`);
    code = 1;
  }
  for (const line of findings.lines()) printError(`${line}\n`);
  return code;
}

/** Why the lines of a file ended early. */
class LineFailure {
  message: string | undefined;
}

/** Lines joined to pieces worth a write; what was there before a failure comes too. */
function* chunksOf(lines: Iterable<string>, failure: LineFailure): Generator<string, void, undefined> {
  let chunk = '';
  try {
    for (const line of lines) {
      chunk += `${line}\n`;
      if (chunk.length < CHUNK_CHARS) continue;
      yield chunk;
      chunk = '';
    }
  } catch (error) {
    if (!(error instanceof DumpError)) throw error;
    failure.message = error.message;
  }
  if (chunk !== '') yield chunk;
}
