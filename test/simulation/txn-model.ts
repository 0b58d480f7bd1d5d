import { promised } from './model.ts';
import { checkHistory, type Poll, type SeenRecord, type Send } from './txn-history.ts';

/** What a client knows of a transaction. `unknown`: it went away, or was told that it is not the producer any more. */
type AttemptOutcome = 'committed' | 'aborted' | 'unknown';

/** Inputs from an offset on. */
export interface Take {
  /** Where they come from, and whose offset moves with them. */
  readonly source: string;
  readonly from: number;
  readonly count: number;
}

/** One transaction: takes inputs, reads outputs, and writes a record for each input. */
export interface Attempt {
  readonly id: number;
  readonly app: string;
  readonly takes: readonly Take[];
  /** Where the group stood in the outputs when the transaction began, by partition. */
  readonly positions: readonly number[];
  readonly polls: Poll[];
  readonly sends: Send[];
  outcome: AttemptOutcome;
}

export const valueFor = ({ id }: Attempt, { source }: Take, input: number): string =>
  `${source}/${id}/${input}`;

/** What must hold of transactions that read inputs, write outputs, and move the offset of their group with them. */
export class TxnModel {
  readonly attempts: Attempt[] = [];
  /** What readers of committed records have seen so far, by partition. */
  readonly #seen = new Map<number, SeenRecord[]>();
  readonly #brief = new Set<string>();
  readonly counts: Record<string, number> = {};

  count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  begin(app: string, takes: readonly Take[], positions: readonly number[] = []): Attempt {
    const id = this.attempts.length;
    const attempt: Attempt = { id, app, takes, positions, polls: [], sends: [], outcome: 'unknown' };
    this.attempts.push(attempt);
    return attempt;
  }

  end(attempt: Attempt, outcome: AttemptOutcome): void {
    attempt.outcome = outcome;
    this.count(outcome);
  }

  /** A reader of committed records has come by. */
  read(partition: number, records: readonly SeenRecord[]): void {
    const seen = this.#seen.get(partition) ?? [];
    this.#seen.set(partition, seen);
    for (const record of records) {
      const attempt = this.#attemptOf(record.value);
      promised(
        attempt.outcome !== 'aborted',
        () => `${record.value} was aborted, and is read at ${partition}/${record.offset}`,
      );
      seen.push(record);
    }
    this.count('reads');
  }

  /** A reader of committed records of the topic with a short retention has come by. */
  readBrief(records: readonly SeenRecord[]): void {
    for (const { offset, value } of records) {
      const { outcome } = this.#attemptOf(value);
      promised(outcome !== 'aborted', () => `${value} was aborted, and is read at ${offset}`);
      promised(!this.#brief.has(value), () => `${value} is read twice, the second time at ${offset}`);
      this.#brief.add(value);
    }
    if (records.length > 0) this.count('brief reads');
  }

  /** All that is committed, at the end: `partitions` by index, and the offset that the group has in each source. */
  check(partitions: readonly (readonly SeenRecord[])[], offsets: ReadonlyMap<string, number>): void {
    const inputsOf = new Map<string, Map<number, number>>();
    for (const [partition, records] of partitions.entries()) {
      const last = new Map<string, number>();
      for (const { offset, value } of records) {
        const { id, outcome } = this.#attemptOf(value);
        const source = sourceOf(value);
        const input = inputOf(value);
        promised(outcome !== 'aborted', () => `${value} was aborted, and is at ${partition}/${offset}`);
        promised(
          input > (last.get(source) ?? -1),
          () => `${partition}/${offset}: ${source} has ${input} behind ${last.get(source)}`,
        );
        last.set(source, input);
        const inputs = inputsOf.get(source) ?? new Map<number, number>();
        inputsOf.set(source, inputs);
        promised(!inputs.has(input), () => `${source}: input ${input} is there twice`);
        inputs.set(input, id);
      }
    }
    this.#checkHistory(partitions, inputsOf);
    this.#checkReaders(partitions);
    for (const [source, offset] of offsets) checkOffset(source, offset, inputsOf.get(source) ?? new Map());
    for (const attempt of this.attempts) checkWhole(attempt, inputsOf);
  }

  #checkHistory(partitions: readonly (readonly SeenRecord[])[], inputsOf: InputsOf): void {
    const isCommitted = ({ id, takes }: Attempt) =>
      takes.some(({ source, from }) => inputsOf.get(source)?.get(from) === id);
    const events = eventsOf(this.attempts.filter(isCommitted));
    const others = this.attempts.filter((one) => !isCommitted(one));
    checkHistory({
      committed: events,
      others: others.map((one) => ({ ...one, follows: [] })),
      partitions,
      writerOf: (value) => this.#attemptOf(value).id,
    });
    this.count('histories');
  }

  /** What was read once is what is read at the end, and nothing in between was left out. */
  #checkReaders(partitions: readonly (readonly SeenRecord[])[]): void {
    for (const [partition, seen] of this.#seen) {
      const now = partitions[partition]!;
      for (const [at, { offset, value }] of seen.entries()) {
        promised(
          now[at]?.offset === offset && now[at].value === value,
          () =>
            `${partition}: read ${value} at ${offset}, and now ${now[at]?.value ?? 'nothing'} at ${now[at]?.offset}`,
        );
      }
    }
  }

  #attemptOf(value: string): Attempt {
    const attempt = this.attempts[Number(value.split('/')[1])];
    promised(attempt !== undefined, () => `${value} is nobody's`);
    return attempt;
  }
}

/** By source, who took each input. */
type InputsOf = ReadonlyMap<string, ReadonlyMap<number, number>>;

/** Each with those that have moved the offsets to where it began. */
function eventsOf(committed: readonly Attempt[]) {
  const bySource = new Map<string, { readonly from: number; readonly attempt: Attempt }[]>();
  for (const attempt of committed) {
    for (const { source, from } of attempt.takes) {
      const chain = bySource.get(source) ?? [];
      bySource.set(source, chain);
      chain.push({ from, attempt });
    }
  }
  const follows = new Map(committed.map(({ id }) => [id, [] as number[]]));
  for (const chain of bySource.values()) {
    chain.sort((a, b) => a.from - b.from);
    for (const [at, { attempt }] of chain.entries()) {
      const before = chain[at - 1]?.attempt;
      checkPositions(attempt, before);
      if (before !== undefined) follows.get(attempt.id)!.push(before.id);
    }
  }
  return committed.map((attempt) => ({ ...attempt, follows: follows.get(attempt.id)! }));
}

/** The offset and the outputs moved together. */
function checkOffset(source: string, offset: number, inputs: ReadonlyMap<number, number>): void {
  for (let input = 0; input < offset; input++) {
    promised(inputs.has(input), () => `${source} is at ${offset}, and has no output for ${input}`);
  }
  promised(inputs.size === offset, () => `${source} is at ${offset}, and has ${inputs.size} outputs`);
}

function checkWhole({ id, app, takes, outcome }: Attempt, inputsOf: InputsOf): void {
  let there = 0;
  let all = 0;
  for (const { source, from, count } of takes) {
    all += count;
    for (let at = from; at < from + count; at++) if (inputsOf.get(source)?.get(at) === id) there += 1;
  }
  promised(there === 0 || there === all, () => `${app}/${id} is torn: ${there} of ${all} records`);
  promised(outcome !== 'committed' || there > 0, () => `${app}/${id} was committed, and is lost`);
}

/** The group's positions in the outputs move with its transactions, too. */
function checkPositions({ app, id, positions }: Attempt, before: Attempt | undefined): void {
  for (const [partition, position] of positions.entries()) {
    const left = before?.polls.findLast((poll) => poll.partition === partition)?.to;
    const expected = left ?? before?.positions[partition] ?? 0;
    promised(
      position === expected,
      () => `${app}/${id} goes on at ${partition}/${position}, and ${before?.id} left it at ${expected}`,
    );
  }
}

function sourceOf(value: string): string {
  return value.split('/')[0]!;
}

function inputOf(value: string): number {
  return Number(value.split('/')[2]);
}
