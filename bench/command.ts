import { cpus, loadavg } from 'node:os';
import { apacheMissing, KAFKA_VERSION } from '../test/interop/support/apache.ts';
import type { TargetName } from '../test/interop/support/target.ts';

/** What follows `--name` on the command line. */
export function option(name: string, otherwise: string): string {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : (process.argv[at + 1] ?? otherwise);
}

/** Those of `--run`, all where nothing was said. Ends the process where one of them is none. */
export function chosenRuns(names: readonly string[]): ReadonlySet<string> {
  const wanted = option('run', '').split(',').filter(Boolean);
  const unknown = wanted.filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    console.error(`no run is called ${unknown.join(', ')}; there are ${names.join(', ')}`);
    process.exit(2);
  }
  return new Set(wanted.length > 0 ? wanted : names);
}

/** The one of `--only`, or both; Apache Kafka where it can be had. */
export async function measuredBrokers(): Promise<readonly TargetName[]> {
  const only = option('only', '');
  const missing = await apacheMissing();
  if (missing) process.stderr.write(`Apache Kafka is left out: ${missing}\n`);
  return (['odradek', 'apache'] as const).filter(
    (name) => (only === '' || only === name) && (name === 'odradek' || !missing),
  );
}

/** Heads a table of figures; `when` says when it is printed, as seen from the runs. */
export function printHead(when: 'before' | 'after', rounds: number): void {
  console.log(
    `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model.trim()}, load average ${when} ` +
      `${(loadavg()[0] ?? 0).toFixed(1)}; medians of ${rounds} rounds in turn\n`,
  );
  console.log(`| with | figure | odradek | Apache Kafka ${KAFKA_VERSION} | ratio |\n|---|---|--:|--:|--:|`);
}
