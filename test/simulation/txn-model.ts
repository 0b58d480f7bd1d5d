import { promised } from './model.ts';
import { checkHistory, type Poll, type SeenRecord, type Send } from './txn-history.ts';

/** What a client knows of a transaction. `unknown`: it went away, or was told that it is not the producer any more. */
type AttemptOutcome = 'committed' | 'aborted' | 'unknown';

/** One transaction: takes inputs from an offset on, reads outputs, and writes a record for each input. */
export interface Attempt {
  readonly id: number;
  readonly app: string;
  readonly from: number;
  readonly count: number;
  /** Where the group stood in the outputs when the transaction began, by partition. */
  readonly positions: readonly number[];
  readonly polls: Poll[];
  readonly sends: Send[];
  outcome: AttemptOutcome;
}

export const valueFor = (attempt: Attempt, input: number): string => `${attempt.app}/${attempt.id}/${input}`;

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

  begin(app: string, from: number, count: number, positions: readonly number[]): Attempt {
    const id = this.attempts.length;
    const attempt: Attempt = { id, app, from, count, positions, polls: [], sends: [], outcome: 'unknown' };
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

  /** All that is committed, at the end: `partitions` by index, and the offset that each app's group has. */
  check(partitions: readonly (readonly SeenRecord[])[], offsets: ReadonlyMap<string, number>): void {
    const inputsOf = new Map<string, Map<number, number>>();
    for (const [partition, records] of partitions.entries()) {
      const last = new Map<string, number>();
      for (const { offset, value } of records) {
        const { app, id, outcome } = this.#attemptOf(value);
        const input = inputOf(value);
        promised(outcome !== 'aborted', () => `${value} was aborted, and is at ${partition}/${offset}`);
        promised(
          input > (last.get(app) ?? -1),
          () => `${partition}/${offset}: ${app} has ${input} behind ${last.get(app)}`,
        );
        last.set(app, input);
        const inputs = inputsOf.get(app) ?? new Map<number, number>();
        inputsOf.set(app, inputs);
        promised(!inputs.has(input), () => `${app}: input ${input} is there twice`);
        inputs.set(input, id);
      }
    }
    const isThere = ({ id, app, from }: Attempt) => inputsOf.get(app)?.get(from) === id;
    this.#checkHistory(partitions, isThere);
    this.#checkReaders(partitions);
    for (const [app, offset] of offsets) this.#checkApp(app, offset, inputsOf.get(app) ?? new Map());
    for (const attempt of this.attempts) this.#checkWhole(attempt, inputsOf.get(attempt.app) ?? new Map());
  }

  #checkHistory(
    partitions: readonly (readonly SeenRecord[])[],
    isCommitted: (attempt: Attempt) => boolean,
  ): void {
    const committed = this.attempts.filter(isCommitted);
    const last = new Map<string, Attempt>();
    const chains = committed.toSorted((a, b) => a.from - b.from);
    const events = chains.map((attempt) => {
      const before = last.get(attempt.app);
      last.set(attempt.app, attempt);
      checkPositions(attempt, before);
      return { ...attempt, follows: before?.id };
    });
    const others = this.attempts.filter((one) => !isCommitted(one));
    checkHistory({
      committed: events,
      others: others.map((one) => ({ ...one, follows: undefined })),
      partitions,
      writerOf: (value) => this.#attemptOf(value).id,
    });
    this.count('histories');
  }

  /** The offset and the outputs moved together. */
  #checkApp(app: string, offset: number, inputs: ReadonlyMap<number, number>): void {
    for (let input = 0; input < offset; input++) {
      promised(inputs.has(input), () => `${app} is at ${offset}, and has no output for ${input}`);
    }
    promised(inputs.size === offset, () => `${app} is at ${offset}, and has ${inputs.size} outputs`);
  }

  #checkWhole({ id, app, from, count, outcome }: Attempt, inputs: ReadonlyMap<number, number>): void {
    let there = 0;
    for (let input = from; input < from + count; input++) if (inputs.get(input) === id) there += 1;
    promised(there === 0 || there === count, () => `${app}/${id} is torn: ${there} of ${count} records`);
    promised(outcome !== 'committed' || there > 0, () => `${app}/${id} was committed, and is lost`);
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

function inputOf(value: string): number {
  return Number(value.split('/')[2]);
}
