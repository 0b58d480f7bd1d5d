import { cycleOf, type Edge } from './cycles.ts';
import { promised } from './model.ts';

/** A record as a reader sees it. */
export interface SeenRecord {
  readonly offset: number;
  readonly value: string;
}

/** What a consumer of committed records got of a partition, from one position to the next. */
export interface Poll {
  readonly partition: number;
  readonly from: number;
  readonly to: number;
  readonly records: readonly SeenRecord[];
}

/** Records that a producer was told to be at an offset; -1 where it was not told. */
export interface Send {
  readonly partition: number;
  readonly offset: number;
  readonly values: readonly string[];
}

/** A transaction that first reads and then writes, as its client saw it. */
export interface TxnEvents {
  readonly id: number;
  readonly polls: readonly Poll[];
  readonly sends: readonly Send[];
  /** The transactions that have moved the group's offsets to where this one began; none for a first one. */
  readonly follows: readonly number[];
}

/** What clients saw, and all that is committed in the end. */
export interface TxnHistory {
  /** The committed ones. */
  readonly committed: readonly TxnEvents[];
  /** Those that were aborted, or of which nothing came. */
  readonly others: readonly TxnEvents[];
  readonly partitions: readonly (readonly SeenRecord[])[];
  /** Who wrote a value. */
  readonly writerOf: (value: string) => number;
}

/**
 * Looks for the anomalies that Jepsen's tests of Kafka look for, where every value is written once: duplicates, lost writes,
 * offsets that differ, reads of what was aborted (G1a), of a part of a transaction (G1b) or of one's own, polls and sends
 * that go back or leave something out, and cycles of dependencies (G0, G1c). Throws a Violation that names the anomaly.
 */
export function checkHistory(history: TxnHistory): void {
  const { committed, others, partitions } = history;
  checkDuplicates(partitions);
  checkCycles(history);
  const logs = partitions.map((log) => new Map(log.map(({ offset, value }) => [offset, value])));
  for (const events of [...committed, ...others]) {
    checkPolls(history, logs, events);
    checkSends(events);
  }
  for (const events of committed) checkWrites(logs, events);
}

function checkDuplicates(partitions: TxnHistory['partitions']): void {
  const places = new Map<string, string>();
  for (const [partition, log] of partitions.entries()) {
    for (const { offset, value } of log) {
      const before = places.get(value);
      const place = `${partition}/${offset}`;
      promised(before === undefined, () => `duplicate: ${value} is at ${before} and at ${place}`);
      places.set(value, place);
    }
  }
}

function checkPolls({ partitions, writerOf }: TxnHistory, logs: Logs, { id, polls }: TxnEvents): void {
  const positions = new Map<number, number>();
  for (const { partition, from, to, records } of polls) {
    const before = positions.get(partition) ?? from;
    promised(from === before, () => `poll skip: ${id} reads ${partition} from ${from}, and was at ${before}`);
    promised(to >= from, () => `nonmonotonic poll: ${id} goes back from ${from} to ${to} in ${partition}`);
    positions.set(partition, to);
    let last = from - 1;
    for (const { offset, value } of records) {
      const place = `${partition}/${offset}`;
      promised(offset > last && offset < to, () => `nonmonotonic poll: ${id} has ${place} behind ${last}`);
      last = offset;
      promised(writerOf(value) !== id, () => `internal: ${id} reads ${value}, which it has just written`);
      const there = logs[partition]!.get(offset);
      promised(there !== undefined, () => `G1a: ${id} read ${value} at ${place}, which never was committed`);
      promised(there === value, () => `inconsistent offsets: ${id} read ${value}, ${there} is at ${place}`);
    }
    const seen = new Set(records.map(({ offset }) => offset));
    const missed = partitions[partition]!.find(
      ({ offset }) => offset >= from && offset < to && !seen.has(offset),
    );
    promised(
      missed === undefined,
      () =>
        `G1b: ${id} read ${partition} from ${from} to ${to} without ${missed?.value} at ${missed?.offset}`,
    );
  }
}

function checkSends({ id, sends }: TxnEvents): void {
  const last = new Map<number, number>();
  for (const { partition, offset, values } of sends) {
    if (offset < 0) continue;
    const before = last.get(partition) ?? -1;
    promised(offset > before, () => `nonmonotonic send: ${id} wrote ${partition}/${offset} behind ${before}`);
    last.set(partition, offset + values.length - 1);
  }
}

function checkWrites(logs: Logs, { id, sends }: TxnEvents): void {
  for (const { partition, offset, values } of sends) {
    if (offset < 0) continue;
    for (const [at, value] of values.entries()) {
      const there = logs[partition]!.get(offset + at);
      const place = `${partition}/${offset + at}`;
      promised(there !== undefined, () => `lost write: ${id} was told that ${value} is at ${place}`);
      promised(there === value, () => `inconsistent offsets: ${place} has ${there}, ${id} wrote ${value}`);
    }
  }
}

type Logs = readonly ReadonlyMap<number, string>[];
/** Why one event is before another: in one transaction, by the log's order, or as one saw what the other committed. */
type Dependency = 'po' | 'ww' | 'wr';

/**
 * The graph's nodes are events. Kafka does not isolate writes: those of two open transactions may lie in one order here and
 * in another there, so that transactions as nodes had cycles (G0) where nothing is wrong. An event that depends on itself
 * is wrong always.
 */
class Events {
  readonly names: string[] = [];
  readonly graph: Edge<Dependency>[][] = [];

  add(name: string): number {
    this.names.push(name);
    return this.graph.push([]) - 1;
  }

  link(from: number, to: number, kind: Dependency): void {
    this.graph[from]!.push({ to, kind });
  }
}

interface Ends {
  readonly begin: number;
  readonly commit: number;
}

function checkCycles({ committed, partitions, writerOf }: TxnHistory): void {
  const events = new Events();
  const ends = new Map<number, Ends>();
  for (const { id } of committed) {
    ends.set(id, { begin: events.add(`${id} begins`), commit: events.add(`${id} commits`) });
  }
  const written = linkWrites(events, ends, partitions, writerOf);
  for (const { id, polls, sends, follows } of committed) {
    const { begin, commit } = ends.get(id)!;
    for (const before of follows) events.link(ends.get(before)!.commit, begin, 'wr');
    let last = begin;
    for (const { partition, to, records } of polls) {
      const poll = events.add(`${id} reads ${partition} up to ${to}`);
      events.link(last, poll, 'po');
      last = poll;
      for (const writer of new Set(records.map(({ value }) => writerOf(value)))) {
        const end = ends.get(writer);
        if (end !== undefined && writer !== id) events.link(end.commit, poll, 'wr');
      }
    }
    for (const value of sends.flatMap(({ values }) => values)) {
      const write = written.get(value);
      if (write === undefined) continue;
      events.link(last, write, 'po');
      last = write;
    }
    events.link(last, commit, 'po');
  }
  const cycle = cycleOf(events.graph);
  if (cycle === undefined) return;
  const anomaly = cycle.some(({ kind }) => kind === 'wr') ? 'G1c' : 'G0';
  const told = cycle.map(({ from, kind }) => `${events.names[from]} -${kind}->`).join(' ');
  promised(false, () => `${anomaly}: ${told}`);
}

/** The writes in the order of their partitions, each before the end of its transaction. */
function linkWrites(
  events: Events,
  ends: ReadonlyMap<number, Ends>,
  partitions: TxnHistory['partitions'],
  writerOf: TxnHistory['writerOf'],
): ReadonlyMap<string, number> {
  const written = new Map<string, number>();
  for (const [partition, log] of partitions.entries()) {
    let last: number | undefined;
    for (const { offset, value } of log) {
      const writer = ends.get(writerOf(value));
      if (writer === undefined) continue;
      const write = events.add(`${value} at ${partition}/${offset}`);
      written.set(value, write);
      events.link(writer.begin, write, 'po');
      events.link(write, writer.commit, 'po');
      if (last !== undefined) events.link(last, write, 'ww');
      last = write;
    }
  }
  return written;
}
