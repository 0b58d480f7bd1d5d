import { connect, type Socket } from 'node:net';
import { batch } from '../test/interop/support/batch.ts';
import { fetch, frame, produce } from '../test/interop/support/wire.ts';

/**
 * The load generator, a process of its own: requests encoded before the clock runs, every answer checked.
 * load.mjs PORT SCENARIO-AS-JSON; prints one JSON object.
 */

export interface Scenario {
  readonly kind: 'produce' | 'fetch';
  readonly topic: string;
  readonly valueBytes: number;
  /** On each connection. */
  readonly inFlight: number;
  /** Each writes or reads a topic of its own, `topic-0`, `topic-1`, … */
  readonly connections: number;
  readonly warmupMs: number;
  readonly measureMs: number;
}

export interface Measured {
  readonly requests: number;
  readonly bytes: number;
  readonly elapsedMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Every acknowledged record since the start, by connection: what the topics' end offsets must be. */
  readonly acknowledged: readonly number[];
}

interface Driven {
  readonly requests: number;
  readonly bytes: number;
  readonly elapsedMs: number;
  readonly latencies: readonly number[];
  readonly answered: number;
}

/** Cuts what arrives into answers; a large one is collected without joining it again and again. */
function splitAnswers(socket: Socket, onAnswer: (answer: Buffer) => void): void {
  let parts: Buffer[] = [];
  let size = 0;
  socket.on('data', (chunk) => {
    parts.push(chunk);
    size += chunk.length;
    let first = parts[0] ?? chunk;
    if (first.length < 4 && size >= 4) {
      first = Buffer.concat(parts);
      parts = [first];
    }
    if (size < 4 || size < 4 + first.readInt32BE(0)) return;
    const all = parts.length === 1 ? first : Buffer.concat(parts);
    let at = 0;
    while (all.length - at >= 4) {
      const end = at + 4 + all.readInt32BE(at);
      if (end > all.length) break;
      onAnswer(all.subarray(at + 4, end));
      at = end;
    }
    const rest = all.subarray(at);
    parts = rest.length > 0 ? [rest] : [];
    size = rest.length;
  });
}

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}

let saidWarm = false;
/** The parent starts to count CPU time here; all connections get here within one round trip. */
function sayWarm(): void {
  if (!saidWarm) process.stdout.write('"warm"\n');
  saidWarm = true;
}

/** Runs until the time is over; `next` gives the request for a correlation id, `check` returns the bytes an answer stands for. */
function drive(
  port: number,
  scenario: Scenario,
  next: (correlationId: number) => Buffer | undefined,
  check: (answer: Buffer) => number,
): Promise<Driven> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.on('error', (error) => fail(String(error)));
    const sentAt: number[] = [];
    const latencies: number[] = [];
    let [sent, answered, bytes, requests] = [0, 0, 0, 0];
    let [from, warm, over] = [performance.now(), false, false];
    const finish = (): void => {
      socket.destroy();
      resolve({ requests, bytes, elapsedMs: performance.now() - from, latencies, answered });
    };
    const send = (): void => {
      const request = next(sent);
      if (request === undefined) {
        over = true;
        return;
      }
      sentAt.push(performance.now());
      sent++;
      socket.write(request);
    };
    splitAnswers(socket, (answer) => {
      if (over && sent === answered) return;
      const now = performance.now();
      if (answer.readInt32BE(0) !== answered) fail(`answer ${answer.readInt32BE(0)} instead of ${answered}`);
      const got = check(answer);
      const since = sentAt[answered] ?? now;
      answered++;
      if (!warm && now - from > scenario.warmupMs) {
        [warm, from] = [true, now];
        sayWarm();
      } else if (warm) {
        requests++;
        bytes += got;
        latencies.push(now - since);
        if (now - from > scenario.measureMs) over = true;
      }
      if (!over) send();
      if (over && (scenario.kind === 'fetch' || answered === sent)) finish();
    });
    socket.once('connect', () => {
      for (let i = 0; i < scenario.inFlight; i++) send();
    });
    socket.once('close', () => {
      if (!over) fail('the broker closed the connection');
    });
  });
}

function runProduce(port: number, scenario: Scenario): Promise<Driven> {
  const records = batch({ records: [{ key: 'key', value: 'x'.repeat(scenario.valueBytes) }] });
  const request = frame(produce(7, [{ topic: scenario.topic, records }]), 0);
  // Correlation ids are the only thing that changes; a request may be written only once its predecessor has left.
  const copies = Array.from({ length: scenario.inFlight * 2 }, () => Buffer.from(request));
  const errorAt = 4 + 4 + 2 + scenario.topic.length + 4 + 4;
  let expected: bigint | undefined;
  return drive(
    port,
    scenario,
    (id) => {
      const copy = copies[id % copies.length] ?? request;
      copy.writeInt32BE(id, 8);
      return copy;
    },
    (answer) => {
      const code = answer.readInt16BE(errorAt);
      if (code !== 0) fail(`produce answered ${code}`);
      const offset = answer.readBigInt64BE(errorAt + 2);
      if (expected !== undefined && offset !== expected) fail(`offset ${offset} instead of ${expected}`);
      expected = offset + 1n;
      return scenario.valueBytes;
    },
  );
}

/** Reads from the start as fast as it can, again and again until the time is over. */
function runFetch(port: number, scenario: Scenario): Promise<Driven> {
  let next = 0n;
  const recordsAt = 4 + 4 + 4 + 2 + scenario.topic.length + 4 + 4 + 2 + 8 + 8 + 4;
  return drive(
    port,
    { ...scenario, inFlight: 1 },
    (id) =>
      frame(fetch(scenario.topic, next, { maxBytes: scenario.valueBytes, maxWaitMs: 500, minBytes: 1 }), id),
    (answer) => {
      const code = answer.readInt16BE(recordsAt - 22);
      if (code !== 0) fail(`fetch answered ${code}`);
      const end = answer.readBigInt64BE(recordsAt - 20);
      const size = answer.readInt32BE(recordsAt);
      if (size <= 0) fail(`nothing at ${next} of ${end}`);
      let at = recordsAt + 4;
      const last = at + size;
      while (at + 61 <= last) {
        const length = 12 + answer.readInt32BE(at + 8);
        if (at + length > last) break;
        if (answer.readBigInt64BE(at) !== next)
          fail(`offset ${answer.readBigInt64BE(at)} instead of ${next}`);
        next += BigInt(answer.readInt32BE(at + 57));
        at += length;
      }
      if (next >= end) next = 0n;
      return size;
    },
  );
}

const [port, json] = process.argv.slice(2);
const scenario = JSON.parse(json ?? '{}') as Scenario;
const one = scenario.kind === 'produce' ? runProduce : runFetch;
const all = await Promise.all(
  Array.from({ length: scenario.connections }, (_, i) =>
    one(Number(port), { ...scenario, topic: `${scenario.topic}-${i}` }),
  ),
);
const latencies = all.flatMap((each) => each.latencies).sort((a, b) => a - b);
const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? 0;
const measured: Measured = {
  requests: all.reduce((sum, each) => sum + each.requests, 0),
  bytes: all.reduce((sum, each) => sum + each.bytes, 0),
  elapsedMs: Math.max(...all.map((each) => each.elapsedMs)),
  p50Ms: at(0.5),
  p99Ms: at(0.99),
  acknowledged: all.map((each) => each.answered),
};
console.log(JSON.stringify(measured));
