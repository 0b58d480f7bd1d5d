import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Broker, startBroker } from '../../src/index.ts';
import { Errors } from '../../src/protocol/errors.ts';
import { converseAboutTxnOffsets, TXN_OFFSET_SETTINGS } from './txn-offset-conversation.ts';

/** The answers of Apache Kafka, which test/interop/txn-offset-answers.test.ts wrote down. */
const golden = JSON.parse(
  readFileSync(new URL('../fixtures/golden/txn-offset-answers.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, unknown>>;

const VERSIONS = [0, 1, 2, 3, 4, 5];
/** The newest one, which tells more than the one before (KIP-1319), and names topics by id. */
const NEWEST = 6;
/** Those that commit, not what is asked after that. */
const COMMITS = /[^)]$/;
const BY_NAME = /: (a topic that is not there|without metadata|metadata that is too large)$/;
const OF_CONSUMERS = /^(consumers \d|mixed \d: the other one)/;
const NO_GROUP = /before there is a group$/;

describe('offsets in transactions', () => {
  let broker: Broker;
  let seen: Readonly<Record<string, unknown>>;

  beforeAll(async () => {
    const properties = { ...TXN_OFFSET_SETTINGS, 'node.id': '1' };
    broker = await startBroker({ memory: true, profile: 'kafka', properties });
    const port = Number(broker.bootstrapServers.split(':').at(-1));
    seen = await converseAboutTxnOffsets(port, [...VERSIONS, NEWEST]);
  });

  afterAll(() => broker.stop());

  const of = (version: number, answers: Readonly<Record<string, unknown>>, kind = /./) =>
    Object.fromEntries(
      Object.entries(answers).filter(([step]) => step.includes(` ${version}: `) && kind.test(step)),
    );

  test.each(VERSIONS)('are answered as by Apache Kafka in version %i', (version) => {
    expect(of(version, seen)).toEqual(of(version, golden));
  });

  test('are answered alike in the newest version, with errors that only it has', () => {
    const expected = Object.entries(of(NEWEST - 1, golden, COMMITS)).filter(([step]) => !BY_NAME.test(step));
    const told = expected.map(([step, answer]) => {
      const text = JSON.stringify([step, answer]).replaceAll(` ${NEWEST - 1}`, ` ${NEWEST}`);
      const old = `"errorCode":${Errors.ILLEGAL_GENERATION}`;
      if (OF_CONSUMERS.test(step)) return text.replaceAll(old, `"errorCode":${Errors.STALE_MEMBER_EPOCH}`);
      if (NO_GROUP.test(step)) return text.replaceAll(old, `"errorCode":${Errors.GROUP_ID_NOT_FOUND}`);
      return text;
    });
    const wanted = Object.fromEntries(told.map((text) => JSON.parse(text) as [string, unknown]));
    expect(of(NEWEST, seen, COMMITS)).toEqual(wanted);
    expect(JSON.stringify(wanted)).toContain(`"errorCode":${Errors.GROUP_ID_NOT_FOUND}`);
  });
});
