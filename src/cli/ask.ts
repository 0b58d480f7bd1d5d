import { connect } from 'node:net';
import { decode, encodeToBytes } from '../protocol/codec.ts';
import type { MessageSchema } from '../protocol/schema.ts';

/** A request that can be sent, and how its answer is read. */
export interface Question<A> {
  frame(correlationId: number): Buffer;
  read(body: Buffer): A;
}

type Answers<Qs extends readonly unknown[]> = {
  -readonly [K in keyof Qs]: Qs[K] extends Question<infer A> ? A : never;
};

/** A request of a version that has no tagged fields, with its answer. */
export function question<Q, A>(
  schemas: {
    readonly apiKey: number;
    readonly request: MessageSchema<Q>;
    readonly response: MessageSchema<A>;
  },
  version: number,
  body: Q,
): Question<A> {
  return {
    frame: (correlationId) =>
      frameOf(schemas.apiKey, version, correlationId, encodeToBytes(schemas.request, version, body)),
    read: (bytes) => decode(schemas.response, version, bytes),
  };
}

const largestAnswerBytes = 256 * 1024 * 1024;
const correlationBytes = 4;
const sizeBytes = 4;

/** Sends all questions in one write over one connection, and resolves to the answers in the same order. */
export function ask<const Qs extends readonly Question<unknown>[]>(
  at: { readonly host: string; readonly port: number },
  timeoutMs: number,
  questions: Qs,
): Promise<Answers<Qs>> {
  return new Promise((resolve, reject) => {
    const answers: unknown[] = [];
    let received: Buffer = Buffer.alloc(0);
    const socket = connect({ host: at.host, port: at.port });
    const timer = setTimeout(() => fail(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    const fail = (error: Error) => {
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    };
    socket.on('error', fail);
    socket.on('close', () => fail(new Error('the connection was closed without an answer')));
    socket.on('connect', () => {
      socket.write(Buffer.concat(questions.map((one, id) => one.frame(id))));
    });
    socket.on('data', (part) => {
      received = Buffer.concat([received, part]);
      try {
        for (;;) {
          const next = questions[answers.length];
          const frame = firstFrame(received);
          if (next === undefined || frame === undefined) break;
          received = received.subarray(sizeBytes + frame.length);
          answers.push(next.read(frame.subarray(correlationBytes)));
        }
      } catch (error) {
        fail(error as Error);
        return;
      }
      if (answers.length < questions.length) return;
      clearTimeout(timer);
      socket.destroy();
      resolve(answers as Answers<Qs>);
    });
  });
}

/** The request with its header (version 1) and size. */
function frameOf(apiKey: number, version: number, correlationId: number, body: Buffer): Buffer {
  const client = Buffer.from('broker-status');
  const header = Buffer.alloc(14);
  header.writeInt32BE(header.length - sizeBytes + client.length + body.length, 0);
  header.writeInt16BE(apiKey, 4);
  header.writeInt16BE(version, 6);
  header.writeInt32BE(correlationId, 8);
  header.writeInt16BE(client.length, 12);
  return Buffer.concat([header, client, body]);
}

/** The first answer without its size, once all of it is there. */
function firstFrame(received: Buffer): Buffer | undefined {
  if (received.length < sizeBytes) return undefined;
  const size = received.readInt32BE(0);
  if (size < correlationBytes || size > largestAnswerBytes)
    throw new Error("the answer is none of Kafka's protocol");
  return received.length < sizeBytes + size ? undefined : received.subarray(sizeBytes, sizeBytes + size);
}
