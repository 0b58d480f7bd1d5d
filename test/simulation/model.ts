import { type Uuid, ZERO_UUID } from '../../src/base/uuid.ts';

/** A promise of the broker was broken. */
export class Violation extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'Violation';
  }
}

export function promised(condition: boolean, message: () => string): asserts condition {
  if (!condition) throw new Violation(message());
}

/** A record's value says who made it and checks itself: `id|` and then bytes that follow from the id. */
export function selfCheckingValue(id: string, bytes: number): Buffer {
  const head = `${id}/${bytes}|`;
  const value = Buffer.alloc(Math.max(bytes, head.length));
  value.write(head, 'latin1');
  let state = head.length * 2654435761;
  for (let i = head.length; i < value.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    value[i] = state >>> 24;
  }
  return value;
}

export function idOf(value: Uint8Array): string {
  const view = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const end = view.subarray(0, 200).indexOf('|');
  const head = end < 0 ? '' : view.toString('latin1', 0, end);
  const slash = head.lastIndexOf('/');
  const id = head.slice(0, slash);
  const sound = slash > 0 && selfCheckingValue(id, Number(head.slice(slash + 1))).equals(view);
  promised(sound, () => `a record that nobody wrote came: ${view.toString('latin1', 0, 60)}`);
  return id;
}

/** What is known of one partition. */
export class PartitionModel {
  readonly name: string;
  /** Offset to record: acknowledged, or seen by a reader. Both must stay. */
  readonly known = new Map<number, string>();
  readonly acknowledged = new Set<number>();
  /** Ids of all records ever sent to it. */
  readonly sent = new Set<string>();
  /** Ids whose write failed: nobody may see them, until a power loss may have undone the undoing. */
  readonly refused = new Set<string>();

  constructor(name: string) {
    this.name = name;
  }

  /** Something is known to lie at an offset. */
  learn(offset: number, id: string, from: string): void {
    const before = this.known.get(offset);
    promised(
      before === undefined || before === id,
      () => `${this.name}: ${from} says that ${id} is at ${offset}, where ${before} was`,
    );
    this.known.set(offset, id);
  }

  acknowledge(offset: number, id: string): void {
    this.learn(offset, id, 'an acknowledgement');
    this.acknowledged.add(offset);
  }

  /** Records of a read, in order, from the batch that holds `from`. */
  read(records: readonly { offset: number; id: string }[], from: number, remember: boolean): void {
    let expected: number | undefined;
    for (const { offset, id } of records) {
      promised(
        expected === undefined || offset === expected,
        () => `${this.name}: offset ${offset} follows ${(expected ?? 0) - 1} in a read from ${from}`,
      );
      promised(this.sent.has(id), () => `${this.name}: ${id} is at ${offset}, which nobody sent there`);
      promised(!this.refused.has(id), () => `${this.name}: ${id} is at ${offset}, though its write failed`);
      if (remember) this.learn(offset, id, 'a read');
      expected = offset + 1;
    }
    const [first] = records;
    if (first === undefined || expected === undefined) return;
    promised(
      first.offset <= from && expected > from,
      () => `${this.name}: a read from ${from} gave ${first.offset} to ${(expected ?? 0) - 1}`,
    );
  }

  /** All there is, read from the first to the last offset after everything has calmed down. */
  readWhole(records: readonly { offset: number; id: string }[]): void {
    const seen = new Set<string>();
    for (const { id } of records) {
      promised(!seen.has(id), () => `${this.name}: ${id} is there twice though it was sent once`);
      seen.add(id);
    }
    const offsets = new Map(records.map(({ offset, id }) => [offset, id]));
    for (const [offset, id] of this.known) {
      const now = offsets.get(offset);
      const how = this.acknowledged.has(offset) ? 'acknowledged' : 'seen by a reader';
      promised(now === id, () => `${this.name}: ${id} was ${how} at ${offset}, now ${now ?? 'nothing'} is`);
    }
  }

  /** A power loss: without a flush for each message nothing was promised. */
  forget(): void {
    this.known.clear();
    this.acknowledged.clear();
  }
}

export type TopicState =
  | 'absent'
  | 'creating'
  | 'there'
  | 'deleting'
  /** A request to create or delete it had no answer: nothing is said of it any more. */
  | 'unknown';

export class TopicModel {
  readonly name: string;
  state: TopicState = 'absent';
  /** How often it was created. */
  generation = 0;
  topicId: Uuid = ZERO_UUID;
  /** `flush.messages=1`: what was acknowledged survives a power loss. */
  flushed = false;
  configs = new Map<string, string>();
  partitions: PartitionModel[] = [];
  /** Records sent under that name, by partition, in whatever generation: a late request may reach a later one. */
  readonly #sent = new Map<number, Set<string>>();

  constructor(name: string) {
    this.name = name;
  }

  begin(partitions: number, configs: ReadonlyMap<string, string>): void {
    this.state = 'creating';
    this.generation++;
    this.flushed = configs.get('flush.messages') === '1';
    this.configs = new Map(configs);
    this.partitions = Array.from({ length: partitions }, (_, i) => {
      const model = new PartitionModel(`${this.name}-${i}`);
      for (const id of this.#sent.get(i) ?? []) model.sent.add(id);
      return model;
    });
  }

  send(partition: number, id: string): void {
    let sent = this.#sent.get(partition);
    if (sent === undefined) {
      sent = new Set();
      this.#sent.set(partition, sent);
    }
    sent.add(id);
    this.partitions[partition]?.sent.add(id);
  }
}
