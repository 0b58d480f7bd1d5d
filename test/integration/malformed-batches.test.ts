import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../src/index.ts';
import { unexplained } from '../interop/differences.ts';
import { readGolden } from '../interop/support/golden.ts';
import { type GoldenScenario, playScenarios } from '../interop/support/idempotence.ts';
import { PRODUCE_VERSIONS } from '../interop/support/malformed.ts';
import { type GoldenExchange, playExchanges } from '../interop/support/pipelined.ts';
import { asCase, type GoldenCases, runCases } from '../interop/support/produce-golden.ts';
import { answerOf, createTopics, createTopicsAnswer, frame, RawConnection } from '../interop/support/wire.ts';

/** What Apache Kafka answered (see test/interop/malformed.test.ts), compared with what this broker answers. */

describe('answers recorded from Apache Kafka', () => {
  let broker: Awaited<ReturnType<typeof startBroker>>;
  let port: number;
  beforeAll(async () => {
    broker = await startBroker({
      memory: true,
      profile: 'kafka',
      properties: { 'auto.create.topics.enable': 'false' },
    });
    port = Number(/:(\d+)/.exec(broker.bootstrapServers)?.[1]);
  });
  afterAll(() => broker?.stop());

  test('malformed batches get the same codes, bad record indexes and stored bytes', async () => {
    const golden = readGolden<GoldenCases>('malformed-batches.json');
    const ours = await runCases(port, golden.cases.map(asCase));
    const differences = golden.cases.flatMap((one, i) => {
      const mine = ours[i];
      return mine === undefined ? [`${one.name}: not run`] : unexplained(one, mine, PRODUCE_VERSIONS);
    });
    expect(differences).toEqual([]);
  });

  test('repeated, missing and outdated sequences get the same answers', async () => {
    const golden = readGolden<{ scenarios: GoldenScenario[] }>('idempotence.json');
    expect(await playScenarios(port)).toEqual(golden.scenarios);
  });

  test('CreateTopics, Metadata, Produce, ListOffsets and Fetch in one write get the same answers in order', async () => {
    const golden = readGolden<{ exchanges: GoldenExchange[] }>('pipelined.json');
    expect(await playExchanges(port)).toEqual(golden.exchanges);
  });

  test('fifty CreateTopics of one name in one write make exactly one topic', async () => {
    const connection = await RawConnection.open(port);
    const request = createTopics([{ name: 'only-once' }]);
    connection.send(Buffer.concat(Array.from({ length: 50 }, (_, i) => frame(request, i))));
    const codes: (number | undefined)[] = [];
    for (let i = 0; i < 50; i++) {
      const bytes = await connection.receive();
      codes.push(bytes && createTopicsAnswer(answerOf(request, bytes, i))[0]?.errorCode);
    }
    connection.close();
    expect(codes).toEqual([0, ...Array.from({ length: 49 }, () => 36)]);
  });
});
