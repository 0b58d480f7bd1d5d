import type { Uuid } from '../../src/base/uuid.ts';
import type { SeededRandom } from './random.ts';
import { type Attempt, valueFor } from './txn-model.ts';
import { TRANSACTION_TIMEOUT_MS, type TxnProducer } from './txn-producer.ts';
import type { World } from './world.ts';

/** Its offsets count inputs, of which nothing is written. */
export const IN_TOPIC = 'in';
/** As that one, for a group with members. */
export const WORK_TOPIC = 'work';
export const WORK_PARTITIONS = 4;
export const OUT_TOPIC = 'out';
export const OUT_PARTITIONS = 3;
/** What transactions write here goes soon: its retention is short. */
export const BRIEF_TOPIC = 'brief';

/** The ids of all topics, by name. */
export type TopicIds = ReadonlyMap<string, Uuid>;

interface Writer {
  readonly world: World;
  readonly random: SeededRandom;
  readonly producer: TxnProducer;
}

/** A record for each input that a transaction takes, here and there. */
export async function writeOutputs(writer: Writer, attempt: Attempt): Promise<void> {
  const { random, producer } = writer;
  const [first] = attempt.takes;
  if (random.chance(0.4)) await producer.produce(BRIEF_TOPIC, 0, [valueFor(attempt, first!, first!.from)]);
  for (const take of attempt.takes) {
    const end = take.from + take.count;
    for (let input = take.from; input < end; ) {
      const partition = random.below(OUT_PARTITIONS);
      const count = Math.min(random.between(1, 3), end - input);
      const from = input;
      const values = Array.from({ length: count }, (_, at) => valueFor(attempt, take, from + at));
      const sent = attempt.sends.push({ partition, offset: -1, values }) - 1;
      const offset = await producer.produce(OUT_TOPIC, partition, values);
      attempt.sends[sent] = { partition, offset, values };
      input += count;
      await stall(writer);
    }
  }
}

/** Once in a while for longer than a transaction may last. */
export async function stall({ world, random }: Pick<Writer, 'world' | 'random'>): Promise<void> {
  if (random.chance(0.02)) await world.sleep(random.between(0, 3 * TRANSACTION_TIMEOUT_MS));
  else await world.sleep(random.below(30));
}
