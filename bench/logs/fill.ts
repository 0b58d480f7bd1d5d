import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { BatchBuilder } from '../../src/protocol/record-batch/index.ts';
import { frame, produce } from '../../test/interop/support/wire.ts';
import type { TopicEnds } from './brokers.ts';

const CONNECTIONS = 4;
/** On each connection. */
const IN_FLIGHT = 8;

/** One request of a stream of them. */
export interface ProduceTo {
  readonly topic: string;
  readonly partition: number;
  readonly batch: Buffer;
}

/** A batch of records of `valueBytes` with keys that `keyOf` gives, as of now. */
export function batchOf(
  count: number,
  valueBytes: number,
  keyOf: (at: number) => string = (at) => `${at}`,
): Buffer {
  const builder = new BatchBuilder();
  const timestamp = Date.now();
  for (let at = 0; at < count; at++) {
    builder.append({ timestamp, key: Buffer.from(keyOf(at)), value: bytesOfNoise(valueBytes) });
  }
  return builder.build();
}

const noise = randomBytes(1024 * 1024);
let noiseAt = 0;
function bytesOfNoise(bytes: number): Buffer {
  noiseAt = (noiseAt + 61) % (noise.length - bytes);
  return noise.subarray(noiseAt, noiseAt + bytes);
}

/** Writes `bytes` to each partition of the topics in batches of 64 KiB, to all in turn. Says where they end. */
export async function fill(port: number, topics: readonly TopicEnds[], bytes: number): Promise<TopicEnds[]> {
  const batch = batchOf(62, 1024);
  const rounds = Math.max(1, Math.round(bytes / batch.length));
  await produceAll(port, function* () {
    for (let round = 0; round < rounds; round++) {
      for (const { name, ends } of topics) {
        for (let partition = 0; partition < ends.length; partition++) {
          yield { topic: name, partition, batch };
        }
      }
    }
  });
  return topics.map(({ name, ends }) => ({ name, ends: ends.map((end) => end + rounds * 62) }));
}

/** Sends all requests, several at a time; over one connection they keep their order. Fails where one is refused. */
export async function produceAll(
  port: number,
  requests: () => Iterable<ProduceTo>,
  connections = CONNECTIONS,
): Promise<void> {
  const left = requests()[Symbol.iterator]();
  await Promise.all(Array.from({ length: connections }, () => stream(port, left)));
}

function stream(port: number, left: Iterator<ProduceTo>): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const sent: string[] = [];
    const fail = (text: string): void => {
      socket.destroy();
      reject(new Error(text));
    };
    const send = (): void => {
      const next = left.next();
      if (next.done === true) {
        if (sent.length === 0) socket.end(resolve);
        return;
      }
      const { topic, partition, batch } = next.value;
      sent.push(topic);
      writeProduce(socket, topic, partition, batch);
    };
    onAnswers(socket, (answer) => {
      const code = errorIn(answer, sent.shift() ?? '');
      if (code !== 0) fail(`produce answered ${code}`);
      else send();
    });
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the broker closed the connection')));
    socket.once('connect', () => {
      for (let i = 0; i < IN_FLIGHT; i++) send();
    });
  });
}

const heads = new Map<string, Buffer>();

/** Produce v7 with acks=-1; the batch is written as it is, since joining costs more than all else here. */
export function writeProduce(socket: Socket, topic: string, partition: number, batch: Buffer): void {
  let head = heads.get(topic);
  if (head === undefined) {
    const empty = frame(produce(7, [{ topic, records: new Uint8Array(0) }]), 0);
    head = empty;
    heads.set(topic, head);
  }
  const copy = Buffer.from(head);
  copy.writeInt32BE(head.length - 4 + batch.length, 0);
  copy.writeInt32BE(partition, head.length - 8);
  copy.writeInt32BE(batch.length, head.length - 4);
  socket.cork();
  socket.write(copy);
  socket.write(batch);
  socket.uncork();
}

/** The error code of the only partition in an answer to Produce v7. */
export const errorIn = (answer: Buffer, topic: string): number =>
  answer.readInt16BE(4 + 4 + 2 + topic.length + 4 + 4);

/** Cuts what arrives into answers, small ones. */
export function onAnswers(socket: Socket, onAnswer: (answer: Buffer) => void): void {
  let got = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    got = got.length === 0 ? chunk : Buffer.concat([got, chunk]);
    while (got.length >= 4 && got.length >= 4 + got.readInt32BE(0)) {
      const end = 4 + got.readInt32BE(0);
      onAnswer(got.subarray(4, end));
      got = got.subarray(end);
    }
  });
}
