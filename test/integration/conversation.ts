import type { Uuid } from '../../src/base/uuid.ts';
import { defaults, type Sparse } from '../../src/protocol/codec.ts';
import type { MessageSchema } from '../../src/protocol/schema.ts';
import { WireClient } from './wire-client.ts';

/** What is compared in any order, by the field that tells its elements apart. */
const ORDER: Readonly<Record<string, string>> = {
  groups: 'groupId',
  members: 'memberId',
  topics: 'name',
  results: 'groupId',
  topicPartitions: 'topicId',
};
const OWN_TEXTS = new Set(['errorMessage']);

/** Asks a broker and keeps every answer as JSON, without what differs from run to run: ids that it makes, texts. */
export class Conversation {
  readonly seen: Record<string, unknown> = {};
  readonly #client: WireClient;
  readonly #names = new Map<string, string>();

  private constructor(client: WireClient) {
    this.#client = client;
  }

  static async open(bootstrapServers: string): Promise<Conversation> {
    return new Conversation(await WireClient.open(bootstrapServers));
  }

  close(): void {
    this.#client.close();
  }

  /** From now on the id stands as this name. */
  name(id: string | Uuid, name: string): void {
    this.#names.set(id, `<${name}>`);
  }

  /** The whole answer, which is not kept. */
  quietly<Request, Response>(
    request: MessageSchema<Request>,
    response: MessageSchema<Response>,
    version: number,
    given: Sparse<Request>,
  ): Promise<Response> {
    return this.#client.request(request, response, version, defaults(request, given));
  }

  async ask<Request, Response>(
    step: string,
    request: MessageSchema<Request>,
    response: MessageSchema<Response>,
    version: number,
    given: Sparse<Request>,
  ): Promise<Response> {
    const answer = await this.quietly(request, response, version, given);
    this.keep(`${step} (${request.name.replace(/Request$/, '')} v${version})`, answer);
    return answer;
  }

  keep(step: string, answer: unknown): void {
    if (step in this.seen) throw new Error(`two steps are called ${step}`);
    this.seen[step] = this.#calm(answer, '');
  }

  #calm(value: unknown, field: string): unknown {
    if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
    if (typeof value === 'bigint') return String(value);
    if (typeof value === 'string') return this.#names.get(value) ?? value;
    if (Array.isArray(value))
      return inOrder(
        field,
        value.map((one) => this.#calm(one, field)),
      );
    if (typeof value !== 'object' || value === null) return value;
    const kept = Object.entries(value).filter(([name]) => !OWN_TEXTS.has(name));
    return Object.fromEntries(kept.map(([name, inner]) => [name, this.#calm(inner, name)]));
  }
}

function inOrder(field: string, values: unknown[]): unknown[] {
  const key = ORDER[field];
  if (key === undefined) return field === 'partitions' ? values.sort(compare) : values;
  const keyOf = (value: unknown) => (value as Readonly<Record<string, unknown>>)[key];
  return values.sort((a, b) => compare(keyOf(a), keyOf(b)));
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  const [left, right] = [JSON.stringify(a), JSON.stringify(b)];
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
