import { connect, type Socket } from 'node:net';
import { In, Out } from './bytes.ts';
import { PATIENCE_MS } from './run.ts';

/** A connection that sends what it is told and hands back raw answers in order. */
export class RawConnection {
  readonly #socket: Socket;
  #got: Buffer = Buffer.alloc(0);
  #closed = false;
  #waiting: (() => void) | undefined;
  #nextCorrelation = 1;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => {
      this.#got = this.#got.length === 0 ? chunk : Buffer.concat([this.#got, chunk]);
      this.#waiting?.();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#closed = true;
      this.#waiting?.();
    });
  }

  static open(port: number, host = '127.0.0.1'): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new RawConnection(socket));
      });
    });
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  correlation(): number {
    return this.#nextCorrelation++;
  }

  send(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** The next answer behind its size (correlation id first); undefined when the server closed the connection. */
  async receive(timeoutMs = PATIENCE_MS): Promise<Buffer | undefined> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      if (this.#got.length >= 4) {
        const size = this.#got.readInt32BE(0);
        if (this.#got.length >= 4 + size) {
          const answer = this.#got.subarray(4, 4 + size);
          this.#got = this.#got.subarray(4 + size);
          return answer;
        }
      }
      if (this.#closed) return undefined;
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`no answer after ${timeoutMs} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#waiting = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#waiting = undefined;
    }
  }

  /** One request, its answer behind correlation id and header tags; undefined when the server closed the connection. */
  async call(request: Request, timeoutMs?: number): Promise<In | undefined> {
    const id = this.correlation();
    this.send(frame(request, id));
    const answer = await this.receive(timeoutMs);
    return answer === undefined ? undefined : answerOf(request, answer, id);
  }

  /** As `call`, but a closed connection is an error. */
  async ask(request: Request, timeoutMs?: number): Promise<In> {
    const answer = await this.call(request, timeoutMs);
    if (answer === undefined) throw new Error(`closed instead of an answer to API ${request.apiKey}`);
    return answer;
  }

  close(): void {
    this.#socket.destroy();
  }
}

export interface Request {
  readonly apiKey: number;
  readonly version: number;
  readonly flexible: boolean;
  readonly body: Uint8Array;
}

/** The request with its size in front, as it travels. */
export function frame(request: Request, correlationId: number, clientId = 'interop'): Buffer {
  const head = new Out().int16(request.apiKey).int16(request.version).int32(correlationId).string(clientId);
  if (request.flexible) head.tags();
  const message = head.raw(request.body).done();
  return new Out().int32(message.length).raw(message).done();
}

export function answerOf(request: Request, answer: Buffer, correlationId?: number): In {
  const reader = new In(answer);
  const id = reader.int32();
  if (correlationId !== undefined && id !== correlationId)
    throw new Error(`answer to ${id} came for ${correlationId}`);
  if (request.flexible && request.apiKey !== 18) reader.tags();
  return reader;
}

// --- requests and answers the suites need, each at the versions they use

export interface NewTopic {
  readonly name: string;
  readonly partitions?: number;
  readonly configs?: Readonly<Record<string, string>>;
}

export function createTopics(topics: readonly NewTopic[]): Request {
  const out = new Out().int32(topics.length);
  for (const topic of topics) {
    out
      .string(topic.name)
      .int32(topic.partitions ?? 1)
      .int16(1)
      .int32(0);
    const configs = Object.entries(topic.configs ?? {});
    out.int32(configs.length);
    for (const [name, value] of configs) out.string(name).string(value);
  }
  out.int32(30_000).bool(false);
  return { apiKey: 19, version: 2, flexible: false, body: out.done() };
}

export function createTopicsAnswer(answer: In) {
  answer.int32(); // throttle time
  const topics = answer.array(() => ({
    name: answer.string(),
    errorCode: answer.int16(),
    errorMessage: answer.string(),
  }));
  answer.end();
  return topics;
}

/** Metadata v1; no names asks for all topics. */
export function metadata(names: readonly string[] | null): Request {
  const out = new Out().int32(names === null ? -1 : names.length);
  for (const name of names ?? []) out.string(name);
  return { apiKey: 3, version: 1, flexible: false, body: out.done() };
}

export function metadataAnswer(answer: In) {
  const brokers = answer.array(() => ({
    nodeId: answer.int32(),
    host: answer.string(),
    port: answer.int32(),
    rack: answer.string(),
  }));
  const controllerId = answer.int32();
  const topics = answer.array(() => ({
    errorCode: answer.int16(),
    name: answer.string(),
    isInternal: answer.bool(),
    partitions: answer.array(() => ({
      errorCode: answer.int16(),
      partition: answer.int32(),
      leader: answer.int32(),
      replicas: answer.array(() => answer.int32()),
      isr: answer.array(() => answer.int32()),
    })),
  }));
  answer.end();
  return { brokers, controllerId, topics };
}

export interface ProduceTo {
  readonly topic: string;
  readonly partition?: number;
  readonly records: Uint8Array | null;
}

export interface ProduceOptions {
  readonly acks?: number;
  readonly transactionalId?: string | null;
  readonly timeoutMs?: number;
}

/** Produce v3 to v12. Each entry is a topic element of its own. */
export function produce(version: number, to: readonly ProduceTo[], options: ProduceOptions = {}): Request {
  const flexible = version >= 9;
  const out = new Out();
  const { acks = -1, transactionalId = null, timeoutMs = 10_000 } = options;
  if (flexible) out.compactString(transactionalId);
  else out.string(transactionalId);
  out.int16(acks).int32(timeoutMs);
  if (flexible) out.uvarint(to.length + 1);
  else out.int32(to.length);
  for (const { topic, partition = 0, records } of to) {
    if (flexible) {
      out.compactString(topic).uvarint(2).int32(partition).compactBytes(records).tags().tags();
    } else out.string(topic).int32(1).int32(partition).bytes(records);
  }
  if (flexible) out.tags();
  return { apiKey: 0, version, flexible, body: out.done() };
}

export interface ProducePartitionAnswer {
  readonly errorCode: number;
  readonly baseOffset: bigint;
  readonly logAppendTimeMs: bigint;
  readonly logStartOffset?: bigint;
  readonly recordErrors?: readonly { batchIndex: number; message: string | null }[];
  readonly errorMessage?: string | null;
}

/** Partitions in the order of the answer. */
export function produceAnswer(version: number, answer: In): ProducePartitionAnswer[] {
  const flexible = version >= 9;
  const array = <T>(item: () => T): T[] => (flexible ? answer.compactArray(item) : answer.array(item));
  const string = (): string | null => (flexible ? answer.compactString() : answer.string());
  const tags = (): void => {
    if (flexible) answer.tags();
  };
  const topics = array(() => {
    string();
    const partitions = array(() => {
      answer.int32();
      const errorCode = answer.int16();
      const baseOffset = answer.int64();
      const logAppendTimeMs = answer.int64();
      const more: {
        logStartOffset?: bigint;
        recordErrors?: { batchIndex: number; message: string | null }[];
        errorMessage?: string | null;
      } = {};
      if (version >= 5) more.logStartOffset = answer.int64();
      if (version >= 8) {
        more.recordErrors = array(() => {
          const one = { batchIndex: answer.int32(), message: string() };
          tags();
          return one;
        });
        more.errorMessage = string();
      }
      tags();
      return { errorCode, baseOffset, logAppendTimeMs, ...more };
    });
    tags();
    return partitions;
  });
  answer.int32(); // throttle time
  tags();
  answer.end();
  return topics.flat();
}

/** ListOffsets v1 of one partition. */
export function listOffsets(topic: string, timestamp: number | bigint, partition = 0): Request {
  const body = new Out().int32(-1).int32(1).string(topic).int32(1).int32(partition).int64(timestamp).done();
  return { apiKey: 2, version: 1, flexible: false, body };
}

export function listOffsetsAnswer(answer: In) {
  const topics = answer.array(() => ({
    name: answer.string(),
    partitions: answer.array(() => ({
      partition: answer.int32(),
      errorCode: answer.int16(),
      timestamp: answer.int64(),
      offset: answer.int64(),
    })),
  }));
  answer.end();
  return topics;
}

/** Fetch v4 of one partition. */
export function fetch(
  topic: string,
  offset: number | bigint,
  options: { partition?: number; maxBytes?: number; maxWaitMs?: number; minBytes?: number; version?: 4 } = {},
): Request {
  const maxBytes = options.maxBytes ?? 10_000_000;
  const body = new Out()
    .int32(-1)
    .int32(options.maxWaitMs ?? 0)
    .int32(options.minBytes ?? 0)
    .int32(maxBytes)
    .int8(0)
    .int32(1)
    .string(topic)
    .int32(1)
    .int32(options.partition ?? 0)
    .int64(offset)
    .int32(maxBytes)
    .done();
  return { apiKey: 1, version: 4, flexible: false, body };
}

export function fetchAnswer(answer: In) {
  answer.int32(); // throttle time
  const topics = answer.array(() => ({
    name: answer.string(),
    partitions: answer.array(() => ({
      partition: answer.int32(),
      errorCode: answer.int16(),
      highWatermark: answer.int64(),
      lastStableOffset: answer.int64(),
      abortedTransactions: answer.array(() => ({ producerId: answer.int64(), firstOffset: answer.int64() })),
      records: answer.bytes(),
    })),
  }));
  answer.end();
  return topics;
}

/** InitProducerId v0. */
export function initProducerId(transactionalId: string | null): Request {
  const body = new Out().string(transactionalId).int32(60_000).done();
  return { apiKey: 22, version: 0, flexible: false, body };
}

export function initProducerIdAnswer(answer: In) {
  answer.int32(); // throttle time
  const got = { errorCode: answer.int16(), producerId: answer.int64(), producerEpoch: answer.int16() };
  answer.end();
  return got;
}

/**
 * The batches of the tests are of 2023, so that their bytes are the same in every run; with the usual retention of a week a broker
 * would be right to delete them at its first check, half a minute after its start.
 */
const kept = (topic: NewTopic): NewTopic => ({
  ...topic,
  configs: { 'retention.ms': '-1', ...topic.configs },
});

/**
 * Creates topics and waits until each partition answers: Apache Kafka's Metadata may name a leader that does not know of its
 * office yet and answers NOT_LEADER_OR_FOLLOWER for some milliseconds. Fails unless every topic was made.
 */
export async function makeTopics(port: number, topics: readonly NewTopic[]): Promise<void> {
  const connection = await RawConnection.open(port);
  try {
    const made = createTopicsAnswer(await connection.ask(createTopics(topics.map(kept))));
    const failed = made.filter((topic) => topic.errorCode !== 0);
    if (failed.length > 0) throw new Error(`topics not created: ${JSON.stringify(failed)}`);
    const names = topics.map((topic) => topic.name);
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const answer = metadataAnswer(await connection.ask(metadata(names)));
      const ready = answer.topics.every(
        (topic) => topic.errorCode === 0 && topic.partitions.every((p) => p.errorCode === 0 && p.leader >= 0),
      );
      if (ready && answer.topics.length === names.length) {
        const partitions = topics.flatMap((t) =>
          Array.from({ length: t.partitions ?? 1 }, (_, p) => ({ ...t, p })),
        );
        const errors: number[] = [];
        for (const { name, p } of partitions) {
          const offsets = listOffsetsAnswer(await connection.ask(listOffsets(name, -1, p)));
          errors.push(offsets[0]?.partitions[0]?.errorCode ?? -1);
        }
        if (errors.every((code) => code === 0)) return;
      }
      if (Date.now() > deadline) throw new Error(`no leaders: ${JSON.stringify(answer)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  } finally {
    connection.close();
  }
}
