import { batch } from './batch.ts';
import { Out } from './bytes.ts';
import { PATIENCE_MS } from './run.ts';
import {
  answerOf,
  createTopics,
  createTopicsAnswer,
  fetch,
  fetchAnswer,
  frame,
  listOffsets,
  listOffsetsAnswer,
  makeTopics,
  metadata,
  metadataAnswer,
  produce,
  produceAnswer,
  RawConnection,
  type Request,
} from './wire.ts';

/** Requests that travel in one write, and the answers, in order. */
export interface GoldenExchange {
  readonly name: string;
  /** Hex of all frames together. */
  readonly sent: string;
  readonly answers: readonly { readonly request: string; readonly answer: unknown }[];
}

/** The names are part of the recorded bytes, so what an earlier try left behind has to go. */
async function removeTopics(port: number, names: readonly string[]): Promise<void> {
  const connection = await RawConnection.open(port);
  const body = new Out().int32(names.length);
  for (const name of names) body.string(name);
  await connection.ask({ apiKey: 20, version: 1, flexible: false, body: body.int32(30_000).done() });
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const left = metadataAnswer(await connection.ask(metadata(null))).topics.filter((t) =>
      names.includes(t.name ?? ''),
    );
    if (left.length === 0 || Date.now() > deadline) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  connection.close();
}

/** Host, port and node id belong to the run, texts of errors to the broker; offsets and codes do not. */
const plain = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (key, v: unknown) => {
      if (typeof v === 'bigint') return Number(v);
      if (key === 'brokers' && Array.isArray(v)) return `${v.length} broker`;
      if (key === 'errorMessage' && typeof v === 'string') return '<text>';
      if (key === 'controllerId' || key === 'leader') return '<id>';
      if ((key === 'replicas' || key === 'isr') && Array.isArray(v)) return v.map(() => '<id>');
      if (v !== null && typeof v === 'object' && 'type' in v && v.type === 'Buffer') {
        return Buffer.from(v as unknown as { data: number[] } & Uint8Array).toString('hex');
      }
      return v;
    }),
  );

interface Exchange {
  readonly name: string;
  readonly topic: string;
  readonly existsBefore: boolean;
  /** Bytes behind each request that are no part of it. */
  readonly bytesBehind?: number;
}

const exchanges: readonly Exchange[] = [
  { name: 'everything about a topic that is there', topic: 'pipelined-old', existsBefore: true },
  { name: 'everything about a topic that is made first', topic: 'pipelined-new', existsBefore: false },
  {
    name: 'everything, with bytes behind each request',
    topic: 'pipelined-long',
    existsBefore: false,
    bytesBehind: 3,
  },
];

/** As librdkafka 2.16 sends Metadata of all topics. */
function longer(request: Buffer, bytesBehind: number): Buffer {
  const bytes = Buffer.concat([request, Buffer.alloc(bytesBehind)]);
  bytes.writeInt32BE(bytes.length - 4);
  return bytes;
}

function requestsFor(topic: string): { name: string; request: Request; read: (answer: Buffer) => unknown }[] {
  const records = batch({
    records: [{ key: 'k', value: 'pipelined', headers: [['h', 'x']] }, { value: 'second' }],
  });
  const of = <T>(name: string, request: Request, read: (answer: ReturnType<typeof answerOf>) => T) => ({
    name,
    request,
    read: (answer: Buffer) => read(answerOf(request, answer)),
  });
  return [
    of('CreateTopics v2', createTopics([{ name: topic }]), createTopicsAnswer),
    of('Metadata v1', metadata([topic]), metadataAnswer),
    of('Produce v7', produce(7, [{ topic, records }]), (a) => produceAnswer(7, a)),
    of('ListOffsets v1', listOffsets(topic, -1), listOffsetsAnswer),
    of('Fetch v4', fetch(topic, 0), fetchAnswer),
    of('ApiVersions v0', { apiKey: 18, version: 0, flexible: false, body: new Out().done() }, (a) => ({
      errorCode: a.int16(),
      keys: a.array(() => a.raw(6)).length > 0 ? 'some' : 'none',
    })),
  ];
}

/**
 * In one write, or the first request before the others: then `afterFirst` runs when it is answered. The recorded bytes are the
 * same.
 */
export async function playExchanges(
  port: number,
  afterFirst?: () => Promise<void>,
): Promise<GoldenExchange[]> {
  const played: GoldenExchange[] = [];
  await removeTopics(
    port,
    exchanges.map(({ topic }) => topic),
  );
  for (const { name, topic, existsBefore, bytesBehind = 0 } of exchanges) {
    if (existsBefore) await makeTopics(port, [{ name: topic }]);
    const requests = requestsFor(topic);
    const [first, ...others] = requests.map(({ request }, index) =>
      longer(frame(request, 100 + index), bytesBehind),
    );
    const sent = Buffer.concat([first!, ...others]);
    const connection = await RawConnection.open(port);
    try {
      connection.send(afterFirst === undefined ? sent : first!);
      const answers: { request: string; answer: unknown }[] = [];
      for (const [index, { name: request, read }] of requests.entries()) {
        const bytes = await connection.receive();
        if (bytes === undefined) throw new Error(`closed before the answer to ${request}`);
        if (bytes.readInt32BE(0) !== 100 + index) throw new Error(`answers out of order at ${request}`);
        answers.push({ request, answer: plain(read(bytes)) });
        if (index > 0 || afterFirst === undefined) continue;
        await afterFirst();
        connection.send(Buffer.concat(others));
      }
      played.push({ name, sent: sent.toString('hex'), answers });
    } finally {
      connection.close();
    }
  }
  return played;
}
