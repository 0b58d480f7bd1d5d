import { batch } from './batch.ts';
import {
  fetch,
  fetchAnswer,
  listOffsets,
  listOffsetsAnswer,
  makeTopics,
  produce,
  produceAnswer,
  RawConnection,
} from './wire.ts';

/** One batch of an idempotent producer. */
export interface SequenceStep {
  readonly producerId: number;
  readonly epoch: number;
  readonly sequence: number;
  readonly count: number;
}

export interface SequenceAnswer {
  readonly errorCode: number;
  /** A number, so that it can stand in JSON. */
  readonly baseOffset: number;
}

export interface GoldenScenario {
  readonly name: string;
  readonly steps: readonly SequenceStep[];
  readonly answers: readonly SequenceAnswer[];
  /** Log end offset afterwards. */
  readonly endOffset: number;
}

const P = 7000;
const step = (epoch: number, sequence: number, count = 1, producerId = P): SequenceStep => ({
  producerId,
  epoch,
  sequence,
  count,
});
const MAX = 2_147_483_647;

export const scenarios: Readonly<Record<string, readonly SequenceStep[]>> = {
  'in order': [step(0, 0), step(0, 1), step(0, 2, 3), step(0, 5)],
  'the last batch again': [step(0, 0, 2), step(0, 2, 2), step(0, 2, 2), step(0, 4)],
  'each of the last five batches again': [
    ...[0, 1, 2, 3, 4, 5, 6].map((n) => step(0, n)),
    ...[2, 3, 4, 5, 6].map((n) => step(0, n)),
    step(0, 7),
  ],
  'the sixth last batch again': [...[0, 1, 2, 3, 4, 5].map((n) => step(0, n)), step(0, 0), step(0, 6)],
  'much older batch again': [...[0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => step(0, n)), step(0, 1)],
  'same first sequence, other count': [step(0, 0, 3), step(0, 0, 2), step(0, 0, 4), step(0, 3)],
  'overlap with the last batch': [step(0, 0, 3), step(0, 2, 3), step(0, 3)],
  'a gap of one': [step(0, 0), step(0, 2), step(0, 1)],
  'a large gap': [step(0, 0), step(0, 1000)],
  'unknown producer, sequence 0': [step(0, 0)],
  'unknown producer, sequence 5': [step(0, 5), step(0, 6), step(0, 0)],
  'unknown producer, epoch 3, sequence 5': [step(3, 5), step(3, 6), step(2, 7)],
  'old epoch': [step(1, 0), step(0, 0), step(0, 1), step(1, 1)],
  'new epoch from 0': [step(0, 0), step(0, 1), step(1, 0), step(1, 1)],
  'new epoch from 5': [step(0, 0), step(1, 5), step(1, 0)],
  'new epoch, going on where the old one was': [step(0, 0), step(0, 1), step(1, 2)],
  'new epoch skips one': [step(0, 0), step(2, 0), step(1, 0)],
  'repeat of a batch of the old epoch': [step(0, 0), step(1, 0), step(0, 0)],
  'same sequences under a new epoch are no repeat': [step(0, 0, 2), step(1, 0, 2), step(1, 0, 2)],
  'sequence wraps behind the largest': [step(0, MAX), step(0, 0), step(0, 0)],
  'sequence wraps within a batch': [step(0, MAX - 1, 3), step(0, 1), step(0, MAX - 1, 3)],
  'gap at the wrap': [step(0, MAX), step(0, 1)],
  'epoch at its largest': [step(32767, 0), step(32767, 1), step(0, 2)],
  'two producers side by side': [
    step(0, 0),
    step(0, 0, 1, P + 1),
    step(0, 1),
    step(0, 1, 1, P + 1),
    step(0, 3),
  ],
};

const topicFor = (index: number): string => `sequences-${index}`;

/** Plays every scenario on a topic of its own. */
export async function playScenarios(port: number): Promise<GoldenScenario[]> {
  const all = Object.entries(scenarios);
  await makeTopics(
    port,
    all.map((_, index) => ({ name: topicFor(index) })),
  );
  const connection = await RawConnection.open(port);
  try {
    const played: GoldenScenario[] = [];
    for (const [index, [name, steps]] of all.entries()) {
      const topic = topicFor(index);
      const answers: SequenceAnswer[] = [];
      for (const one of steps) answers.push(await playStep(connection, topic, one));
      const end = listOffsetsAnswer(await connection.ask(listOffsets(topic, -1)));
      played.push({ name, steps, answers, endOffset: Number(end[0]?.partitions[0]?.offset) });
    }
    return played;
  } finally {
    connection.close();
  }
}

async function playStep(
  connection: RawConnection,
  topic: string,
  one: SequenceStep,
): Promise<SequenceAnswer> {
  const records = batch({
    records: Array.from({ length: one.count }, (_, i) => ({
      value: `${one.producerId}/${one.epoch}/${one.sequence}+${i}`,
    })),
    producerId: one.producerId,
    producerEpoch: one.epoch,
    baseSequence: one.sequence,
  });
  const [answer] = produceAnswer(9, await connection.ask(produce(9, [{ topic, records }])));
  if (answer === undefined) throw new Error('an answer without a partition');
  return {
    errorCode: answer.errorCode,
    baseOffset: Number(answer.baseOffset),
  };
}

/** Everything a partition holds, from its start. */
export async function readAll(port: number, topic: string, partition = 0): Promise<Buffer> {
  const connection = await RawConnection.open(port);
  try {
    const answer = fetchAnswer(await connection.ask(fetch(topic, 0, { partition })));
    return answer[0]?.partitions[0]?.records ?? Buffer.alloc(0);
  } finally {
    connection.close();
  }
}
