import { until } from './run.ts';
import { fetch, fetchAnswer, RawConnection } from './wire.ts';

/** What the partitions of a topic have come to. Clients hear of it only later, or not at all. */

interface Ends {
  readonly highWatermark: bigint;
  readonly lastStableOffset: bigint;
}

/** Waits until no transaction is open: Apache Kafka answers EndTxn before the markers are written. */
export async function transactionsEnded(port: number, topic: string, partitions: number): Promise<void> {
  const connection = await RawConnection.open(port);
  try {
    for (let partition = 0; partition < partitions; partition++) {
      await until(`the markers in ${topic}-${partition}`, async () => {
        const { highWatermark, lastStableOffset } = await endsOf(connection, topic, partition);
        return lastStableOffset === highWatermark ? true : undefined;
      });
    }
  } finally {
    connection.close();
  }
}

/** Waits until the partition ends there: nobody hears when records with acks=0 have arrived. */
export async function endsAt(port: number, topic: string, partition: number, offset: number): Promise<void> {
  const connection = await RawConnection.open(port);
  try {
    await until(`${topic}-${partition} to end at ${offset}`, async () =>
      (await endsOf(connection, topic, partition)).highWatermark >= BigInt(offset) ? true : undefined,
    );
  } finally {
    connection.close();
  }
}

async function endsOf(connection: RawConnection, topic: string, partition: number): Promise<Ends> {
  const answer = fetchAnswer(await connection.ask(fetch(topic, 0, { partition, maxBytes: 1 })));
  const got = answer[0]?.partitions[0];
  if (got === undefined || got.errorCode !== 0)
    throw new Error(`fetch of ${topic}-${partition}: ${got?.errorCode}`);
  return got;
}
