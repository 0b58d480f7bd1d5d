import { type BatchCase, caseTopics, PRODUCE_VERSIONS, topicOf } from './malformed.ts';
import {
  fetch,
  fetchAnswer,
  frame,
  makeTopics,
  metadata,
  type ProduceTo,
  produce,
  produceAnswer,
  RawConnection,
} from './wire.ts';

/** One partition's answer without its texts, which are each broker's own; `stored` is what a Fetch then gives back, where it is not what was sent. */
export interface CaseAnswer {
  readonly errorCode: number;
  readonly recordErrors?: readonly { readonly batchIndex: number }[];
  readonly stored?: string;
}

/**
 * `closed`: the server ended the connection. `silence`: no answer was due, and the connection goes on. `no answer`: one
 * was due, and none came in 2 s.
 */
export type CaseOutcome = 'closed' | 'silence' | 'no answer' | readonly CaseAnswer[];

export interface GoldenCase {
  readonly name: string;
  readonly topic: string;
  readonly partition?: number;
  readonly acks?: number;
  readonly transactionalId?: string;
  readonly twice?: boolean;
  /** Hex; null for null. */
  readonly records: string | null;
  /** By Produce version; a version that answers as the one before it is left out. */
  readonly answers: Readonly<Record<string, CaseOutcome>>;
}

export interface GoldenCases {
  readonly kafka: string;
  readonly cases: readonly GoldenCase[];
}

/** Topics whose batches the server rewrites: what is stored depends on the clock or on a compressor. */
const REWRITTEN = new Set(['append-time', 'to-gzip', 'to-uncompressed', 'small-to-uncompressed']);

/** Base offset and leader epoch are the server's; they are not compared. */
const unplaced = (records: Uint8Array): string => {
  const copy = Buffer.from(records);
  if (copy.length >= 16) copy.fill(0, 0, 8).fill(0, 12, 16);
  return copy.toString('hex');
};

async function storedAt(
  connection: RawConnection,
  to: ProduceTo,
  offset: bigint,
): Promise<string | undefined> {
  const answer = fetchAnswer(await connection.ask(fetch(to.topic, offset, { maxWaitMs: 5000, minBytes: 1 })));
  const records = answer[0]?.partitions[0]?.records;
  if (!records || records.length < 17) return 'nothing';
  const size = 12 + records.readInt32BE(8);
  const stored = unplaced(records.subarray(0, size));
  return to.records !== null && stored === unplaced(to.records) ? undefined : stored;
}

async function outcomeOf(connection: RawConnection, one: BatchCase, version: number): Promise<CaseOutcome> {
  const to: ProduceTo = {
    topic: topicOf(one.topic, version),
    partition: one.partition ?? 0,
    records: one.records,
  };
  const options = {
    ...(one.acks === undefined ? {} : { acks: one.acks }),
    transactionalId: one.transactionalId ?? null,
  };
  const request = produce(version, one.twice ? [to, to] : [to], options);
  if (one.acks === 0) {
    connection.send(frame(request, connection.correlation()));
    const next = await connection.call(metadata([]));
    return next === undefined ? 'closed' : 'silence';
  }
  // Only where Apache Kafka never answers; anything else may take its time.
  const answer =
    one.records === null
      ? await connection.call(request, 2000).catch(() => 'no answer' as const)
      : await connection.call(request);
  if (answer === 'no answer') return answer;
  if (answer === undefined) return 'closed';
  const result: CaseAnswer[] = [];
  for (const partition of produceAnswer(version, answer)) {
    const stored =
      partition.errorCode === 0 && !REWRITTEN.has(one.topic)
        ? await storedAt(connection, to, partition.baseOffset)
        : undefined;
    result.push({
      errorCode: partition.errorCode,
      ...(partition.recordErrors?.length
        ? { recordErrors: partition.recordErrors.map(({ batchIndex }) => ({ batchIndex })) }
        : {}),
      ...(stored === undefined ? {} : { stored }),
    });
  }
  return result;
}

/** Sends every case in every version to a fresh broker and writes down what it answers. */
export async function runCases(port: number, cases: readonly BatchCase[]): Promise<GoldenCase[]> {
  const answers = cases.map((): Record<string, CaseOutcome> => ({}));
  for (const version of PRODUCE_VERSIONS) {
    await makeTopics(port, caseTopics(version));
    let connection = await RawConnection.open(port);
    for (const [index, one] of cases.entries()) {
      let outcome: CaseOutcome;
      try {
        outcome = await outcomeOf(connection, one, version);
      } catch (error) {
        throw new Error(`${one.name}, Produce v${version}: ${(error as Error).message}`, { cause: error });
      }
      const of = answers[index];
      if (of !== undefined) of[version] = outcome;
      if (outcome === 'closed' || outcome === 'no answer') {
        connection.close();
        connection = await RawConnection.open(port);
      }
    }
    connection.close();
  }
  return cases.map((one, index) => ({
    ...one,
    records: one.records === null ? null : one.records.toString('hex'),
    answers: withoutRepeats(answers[index] ?? {}),
  }));
}

function withoutRepeats(answers: Readonly<Record<string, CaseOutcome>>): Record<string, CaseOutcome> {
  const kept: Record<string, CaseOutcome> = {};
  let last = '';
  for (const version of PRODUCE_VERSIONS) {
    const outcome = answers[version];
    if (outcome === undefined) continue;
    const text = JSON.stringify(outcome);
    if (text !== last) kept[version] = outcome;
    last = text;
  }
  return kept;
}

export const asCase = (golden: GoldenCase): BatchCase => {
  const { answers: _, records, ...rest } = golden;
  return { ...rest, records: records === null ? null : Buffer.from(records, 'hex') };
};
