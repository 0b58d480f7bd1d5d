import type { Storage } from '../../base/ports.ts';
import { dumpBatches } from './batches.ts';
import { baseName } from './files.ts';
import type { Findings } from './findings.ts';
import { dumpOffsetIndex, dumpTimeIndex, dumpTxnIndex } from './indexes.ts';
import type { DumpLogOptions } from './options.ts';
import { dumpProducerSnapshot } from './producer-snapshots.ts';

/**
 * The lines of one file, by the ending of its name; undefined for a file of no kind that can be printed. Iterating throws
 * DumpError where the file can't be read to its end.
 */
export function dumpFile(
  storage: Storage,
  path: string,
  options: DumpLogOptions,
  findings: Findings,
): Generator<string, void, undefined> | undefined {
  switch (/\.[^.]*$/.exec(baseName(path))?.[0]) {
    case '.log':
    case '.checkpoint':
      return dumpBatches(storage, path, options, findings);
    case '.index':
      return dumpOffsetIndex(storage, path, options, findings);
    case '.timeindex':
      return dumpTimeIndex(storage, path, options, findings);
    case '.snapshot':
      return dumpProducerSnapshot(storage, path);
    case '.txnindex':
      return dumpTxnIndex(storage, path);
    default:
      return undefined;
  }
}
