import { defaults, type Sparse } from '../../src/protocol/codec.ts';
import { Errors } from '../../src/protocol/errors.ts';
import * as addOffsets from '../../src/protocol/messages/add-offsets-to-txn.ts';
import * as addPartitions from '../../src/protocol/messages/add-partitions-to-txn.ts';
import * as describeTransactions from '../../src/protocol/messages/describe-transactions.ts';
import * as endTxn from '../../src/protocol/messages/end-txn.ts';
import * as findCoordinator from '../../src/protocol/messages/find-coordinator.ts';
import * as initProducerId from '../../src/protocol/messages/init-producer-id.ts';
import * as listTransactions from '../../src/protocol/messages/list-transactions.ts';
import { OffsetFetchRequest, OffsetFetchResponse } from '../../src/protocol/messages/offset-fetch.ts';
import type { MessageSchema } from '../../src/protocol/schema.ts';
import { until } from '../interop/support/run.ts';
import { makeTopics } from '../interop/support/wire.ts';
import { WireClient } from './wire-client.ts';

const NO_ID = -1n;
/** A producer id that no broker has given out here. */
const STRANGER = 4_000_000_000n;
const TIMEOUT_MS = 600_000;
/** The last version of EndTxn without a new epoch, and the first with one. */
const OLD_END = 4;
const NEW_END = 5;

export interface Producer {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

/** Lists come in any order from Apache Kafka, which keeps them in hash tables. */
function inOrder(answer: unknown): unknown {
  if (Array.isArray(answer)) {
    const all = answer.map(inOrder);
    return all
      .map((one) => JSON.stringify(one))
      .sort()
      .map((one) => JSON.parse(one) as unknown);
  }
  if (typeof answer !== 'object' || answer === null) return answer;
  return Object.fromEntries(Object.entries(answer).map(([name, value]) => [name, inOrder(value)]));
}

/** Asks one broker and keeps every answer, without what differs from run to run: producer ids, addresses, times and texts. */
export class TransactionConversation {
  readonly seen: Record<string, unknown> = {};
  readonly client: WireClient;
  readonly #ids = new Map<bigint, string>();

  constructor(client: WireClient) {
    this.client = client;
  }

  async ask<Request, Response>(
    step: string,
    request: MessageSchema<Request>,
    response: MessageSchema<Response>,
    version: number,
    given: Sparse<Request>,
  ): Promise<Response> {
    const answer = await this.client.request(request, response, version, defaults(request, given));
    this.keep(`${step} (${request.name.replace(/Request$/, '')} v${version})`, answer);
    return answer;
  }

  keep(step: string, answer: unknown): void {
    if (step in this.seen) throw new Error(`two steps are called ${step}`);
    this.seen[step] = inOrder(this.#calm(answer));
  }

  #calm(value: unknown, field = ''): unknown {
    if (Array.isArray(value)) return value.map((one) => this.#calm(one, field));
    if (typeof value === 'bigint') {
      if (/producerId/i.test(field)) return this.nameOf(value);
      return /time/i.test(field) && value > 0n ? 'a time' : String(value);
    }
    if (field === 'host' && value !== '') return 'a host';
    if (field === 'port' && value !== 0) return 'a port';
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .filter(([name]) => name !== 'errorMessage')
        .map(([name, inner]) => [name, this.#calm(inner, name)]),
    );
  }

  /** A producer id gets a name in the order in which they turn up. */
  nameOf(id: bigint): string {
    if (id === NO_ID || id === STRANGER) return String(id);
    const known = this.#ids.get(id) ?? `<producer ${this.#ids.size}>`;
    this.#ids.set(id, known);
    return known;
  }
}

type Init = Sparse<initProducerId.InitProducerIdRequest>;

export function init(talk: TransactionConversation, step: string, version: number, given: Init) {
  const { InitProducerIdRequest, InitProducerIdResponse } = initProducerId;
  const asked = { transactionTimeoutMs: TIMEOUT_MS, ...given };
  return talk.ask(step, InitProducerIdRequest, InitProducerIdResponse, version, asked);
}

/** Asks as clients do, again and again while the transaction before is being ended. */
export async function begin(talk: TransactionConversation, transactionalId: string): Promise<Producer> {
  const { InitProducerIdRequest, InitProducerIdResponse } = initProducerId;
  const asked = defaults<initProducerId.InitProducerIdRequest>(InitProducerIdRequest, {
    transactionalId,
    transactionTimeoutMs: TIMEOUT_MS,
  });
  return until(`a producer id for ${transactionalId}`, async () => {
    const answer = await talk.client.request(InitProducerIdRequest, InitProducerIdResponse, 4, asked);
    const { errorCode, producerId, producerEpoch } = answer;
    if (errorCode !== Errors.NONE) return undefined;
    talk.nameOf(producerId);
    return { producerId, producerEpoch };
  });
}

function add(
  talk: TransactionConversation,
  step: string,
  version: number,
  transactionalId: string,
  { producerId, producerEpoch }: Producer,
  topics: { name: string; partitions: number[] }[],
  verifyOnly = false,
) {
  const { AddPartitionsToTxnRequest, AddPartitionsToTxnResponse } = addPartitions;
  const asked: Sparse<addPartitions.AddPartitionsToTxnRequest> =
    version >= 4
      ? { transactions: [{ transactionalId, producerId, producerEpoch, verifyOnly, topics }] }
      : {
          v3AndBelowTransactionalId: transactionalId,
          v3AndBelowProducerId: producerId,
          v3AndBelowProducerEpoch: producerEpoch,
          v3AndBelowTopics: topics,
        };
  return talk.ask(step, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, version, asked);
}

export function end(
  talk: TransactionConversation,
  step: string,
  version: number,
  transactionalId: string,
  { producerId, producerEpoch }: Producer,
  committed: boolean,
) {
  const { EndTxnRequest, EndTxnResponse } = endTxn;
  const asked = { transactionalId, producerId, producerEpoch, committed };
  return talk.ask(step, EndTxnRequest, EndTxnResponse, version, asked);
}

/** Waits until the transaction has its markers, and keeps what is known of it then. */
export async function settle(
  talk: TransactionConversation,
  step: string,
  transactionalId: string,
): Promise<void> {
  const { DescribeTransactionsRequest, DescribeTransactionsResponse } = describeTransactions;
  const asked = { transactionalIds: [transactionalId] };
  const answer = await until(`the end of ${transactionalId}`, async () => {
    const got = await talk.client.request(
      DescribeTransactionsRequest,
      DescribeTransactionsResponse,
      0,
      asked,
    );
    return got.transactionStates[0]!.transactionState.startsWith('Prepare') ? undefined : got;
  });
  talk.keep(`${step} (as described)`, answer);
}

export const fenced = (producer: Producer): Producer => ({
  ...producer,
  producerEpoch: producer.producerEpoch - 1,
});
export const future = (producer: Producer): Producer => ({
  ...producer,
  producerEpoch: producer.producerEpoch + 1,
});
export const stranger = (producer: Producer): Producer => ({ ...producer, producerId: STRANGER });
const T = [{ name: 't', partitions: [0, 2] }];

/** What the node must be set to. */
export const TRANSACTION_SETTINGS = {
  'transaction.state.log.num.partitions': '4',
  'offsets.topic.num.partitions': '4',
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': '100',
};

/** Asks whatever producers and tools may ask a transaction coordinator; answers by step. */
export async function converseInTransactions(port: number): Promise<Record<string, unknown>> {
  await makeTopics(port, [{ name: 't', partitions: 3 }, { name: 'u' }]);
  const client = await WireClient.open(`127.0.0.1:${port}`);
  const talk = new TransactionConversation(client);
  try {
    await coordinators(talk);
    for (let version = 0; version <= 5; version++) await producers(talk, version);
    for (let version = 0; version <= 5; version++) await partitions(talk, version);
    for (let version = 0; version <= 4; version++) await offsets(talk, version);
    for (let version = 0; version <= OLD_END; version++) await ends(talk, version);
    await endsWithEpochs(talk);
    await verification(talk);
    await administration(talk);
    await timeouts(talk);
  } finally {
    client.close();
  }
  return talk.seen;
}

export async function coordinators(talk: TransactionConversation): Promise<void> {
  const { FindCoordinatorRequest, FindCoordinatorResponse } = findCoordinator;
  const asked = defaults<findCoordinator.FindCoordinatorRequest>(FindCoordinatorRequest, {
    key: 'x',
    keyType: 1,
  });
  await until('the coordinator', async () => {
    const got = await talk.client.request(FindCoordinatorRequest, FindCoordinatorResponse, 3, asked);
    return got.errorCode === Errors.NONE ? true : undefined;
  });
  // Apache Kafka loads its shards one after the other: enough ids to meet each of them.
  for (let i = 0; i < 20; i++) await begin(talk, `probe-${i}`);
  for (let version = 1; version <= 6; version++) {
    const keys = version >= 4 ? { coordinatorKeys: ['x', ''] } : { key: 'x' };
    await talk.ask('who coordinates', FindCoordinatorRequest, FindCoordinatorResponse, version, {
      ...keys,
      keyType: 1,
    });
  }
}

/** Waits until the partition of groups is there, where there is one of them only. */
export async function groups(talk: TransactionConversation): Promise<void> {
  const { FindCoordinatorRequest, FindCoordinatorResponse } = findCoordinator;
  const named = defaults<findCoordinator.FindCoordinatorRequest>(FindCoordinatorRequest, { key: 'g' });
  await until('the coordinator of groups', async () => {
    const got = await talk.client.request(FindCoordinatorRequest, FindCoordinatorResponse, 3, named);
    return got.errorCode === Errors.NONE ? true : undefined;
  });
  const asked = defaults<OffsetFetchRequest>(OffsetFetchRequest, {
    groups: [{ groupId: 'g', topics: null }],
  });
  await until('the groups', async () => {
    const got = await talk.client.request(OffsetFetchRequest, OffsetFetchResponse, 8, asked);
    return got.groups[0]!.errorCode === Errors.NONE ? true : undefined;
  });
}

async function producers(talk: TransactionConversation, version: number): Promise<void> {
  const transactionalId = `producer-${version}`;
  const step = (what: string) => `producer: ${what}`;
  await init(talk, step('without a transactional id'), version, { transactionalId: null });
  await init(talk, step('with an empty one'), version, { transactionalId: '' });
  for (const transactionTimeoutMs of [0, -1, 900_001]) {
    const what = step(`with a timeout of ${transactionTimeoutMs}`);
    await init(talk, what, version, { transactionalId, transactionTimeoutMs });
  }
  const first = await init(talk, step('for the first time'), version, { transactionalId });
  const second = await init(talk, step('again'), version, { transactionalId });
  if (version >= 3) {
    const from = (what: string, { producerId, producerEpoch }: Producer) =>
      init(talk, step(what), version, { transactionalId, producerId, producerEpoch });
    await from('from an epoch before', first);
    await from('from its epoch', second);
    await from('from its epoch, again', second);
    await from('from an epoch that was overtaken', first);
    await from('from an epoch that was never given', { ...second, producerEpoch: 9 });
    await from('from the id of somebody else', stranger(second));
    await from('with an id alone', { ...second, producerEpoch: -1 });
    await from('with an epoch alone', { ...second, producerId: NO_ID });
    await init(talk, step('from an id for an unknown transactional id'), version, {
      transactionalId: `new-${version}`,
      producerId: STRANGER,
      producerEpoch: 5,
    });
    await init(talk, step('from an id without a transactional id'), version, {
      transactionalId: null,
      producerId: STRANGER,
      producerEpoch: 5,
    });
  }
  const producer = await begin(talk, transactionalId);
  await add(talk, `producer ${version}: in a transaction`, 3, transactionalId, producer, T);
  if (version >= 3) {
    const { producerId, producerEpoch } = fenced(producer);
    const what = step('from an epoch before, while a transaction is open');
    await init(talk, what, version, { transactionalId, producerId, producerEpoch });
    await settle(talk, step(`after that ${version}`), transactionalId);
  }
  await init(talk, step('while a transaction is open'), version, { transactionalId });
  await settle(talk, step(`aborted ${version}`), transactionalId);
  await init(talk, step('once it is aborted'), version, { transactionalId });
}

async function partitions(talk: TransactionConversation, version: number): Promise<void> {
  const transactionalId = `partitions-${version}`;
  const producer = await begin(talk, transactionalId);
  const step = (what: string) => `partitions: ${what}`;
  const { name } = T[0]!;
  await add(talk, step('of nobody'), version, `nobody-${version}`, producer, T);
  await add(talk, step('without a transactional id'), version, '', producer, T);
  await add(talk, step('with the id of somebody else'), version, transactionalId, stranger(producer), T);
  await add(talk, step('with an epoch to come'), version, transactionalId, future(producer), T);
  await add(talk, step('with an epoch before'), version, transactionalId, fenced(producer), T);
  await add(talk, step('in an unknown topic'), version, transactionalId, producer, [
    { name: 'never-was', partitions: [0] },
  ]);
  await add(talk, step('some of them unknown'), version, transactionalId, producer, [
    { name, partitions: [1, 7] },
    { name: 'never-was', partitions: [0] },
  ]);
  await settle(talk, step(`before ${version}`), transactionalId);
  await add(talk, step('none'), version, transactionalId, producer, []);
  await settle(talk, step(`none ${version}`), transactionalId);
  await add(talk, step('two'), version, transactionalId, producer, T);
  await add(talk, step('the same again'), version, transactionalId, producer, T);
  await add(talk, step('another'), version, transactionalId, producer, [{ name: 'u', partitions: [0] }]);
  await settle(talk, step(`all ${version}`), transactionalId);
  await end(talk, step(`commit ${version}`), 3, transactionalId, producer, true);
  await settle(talk, step(`committed ${version}`), transactionalId);
}

async function offsets(talk: TransactionConversation, version: number): Promise<void> {
  const { AddOffsetsToTxnRequest, AddOffsetsToTxnResponse } = addOffsets;
  const transactionalId = `offsets-${version}`;
  const producer = await begin(talk, transactionalId);
  const addGroup = (what: string, id: string, { producerId, producerEpoch }: Producer, groupId = 'g') =>
    talk.ask(`offsets: ${what}`, AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, version, {
      transactionalId: id,
      producerId,
      producerEpoch,
      groupId,
    });
  await addGroup('of nobody', `nobody-${version}`, producer);
  await addGroup('without a transactional id', '', producer);
  await addGroup('with the id of somebody else', transactionalId, stranger(producer));
  await addGroup('with an epoch to come', transactionalId, future(producer));
  await addGroup('with an epoch before', transactionalId, fenced(producer));
  await addGroup('of a group', transactionalId, producer);
  await addGroup('again', transactionalId, producer);
  await addGroup('of a group without a name', transactionalId, producer, '');
  await settle(talk, `offsets: all ${version}`, transactionalId);
  await end(talk, `offsets: abort ${version}`, 3, transactionalId, producer, false);
  await settle(talk, `offsets: aborted ${version}`, transactionalId);
}

async function ends(talk: TransactionConversation, version: number): Promise<void> {
  const transactionalId = `ends-${version}`;
  const producer = await begin(talk, transactionalId);
  const ask = (what: string, id: string, by: Producer, committed: boolean) =>
    end(talk, `end: ${what}`, version, id, by, committed);
  await ask('of nobody', `nobody-${version}`, producer, true);
  await ask('without a transactional id', '', producer, true);
  await ask('with the id of somebody else', transactionalId, stranger(producer), true);
  await ask('with an epoch to come', transactionalId, future(producer), true);
  await ask('with an epoch before', transactionalId, fenced(producer), true);
  for (const committed of [true, false]) {
    const what = committed ? 'commit' : 'abort';
    const other = committed ? 'abort' : 'commit';
    await ask(
      `${what} without a transaction`,
      transactionalId,
      await begin(talk, transactionalId),
      committed,
    );
    const owner = await begin(talk, transactionalId);
    await add(talk, `end ${version}: begin to ${what}`, 3, transactionalId, owner, T);
    await ask(what, transactionalId, owner, committed);
    await settle(talk, `end ${version}: after ${what}`, transactionalId);
    await ask(`${what} again`, transactionalId, owner, committed);
    await ask(`${what}, then ${other}`, transactionalId, owner, !committed);
    await ask(`${what}, then ${what} with an epoch before`, transactionalId, fenced(owner), committed);
  }
}

async function endsWithEpochs(talk: TransactionConversation): Promise<void> {
  const transactionalId = 'epochs';
  const ask = async (what: string, by: Producer, committed: boolean) => {
    const answer = await end(talk, `epochs: ${what}`, NEW_END, transactionalId, by, committed);
    await settle(talk, `epochs: after ${what}`, transactionalId);
    return answer;
  };
  const first = await begin(talk, transactionalId);
  await ask('commit without a transaction', first, true);
  const second = await ask('abort without a transaction', first, false);
  await ask('abort without a transaction again', first, false);
  await ask('then commit that', first, true);
  await add(talk, 'epochs: begin', 5, transactionalId, second, T);
  await ask('with the epoch before', first, true);
  await ask('with an epoch to come', future(second), true);
  await ask('with the id of somebody else', stranger(second), true);
  const third = await ask('commit', second, true);
  await ask('commit again', second, true);
  await ask('commit, then abort', second, false);
  await ask('commit, then commit the next one', third, true);
  await ask('commit, then with the epoch two before', first, true);
  const fourth = await ask('commit, then abort the next one', third, false);
  await ask('then again', third, false);
  await ask('then the one before that', second, true);
  await ask('then commit the next one', fourth, true);
  const fifth = await ask('abort, then abort the next one', fourth, false);
  // An old client ends what a new one began, and the other way round.
  await add(talk, 'epochs: begin for an old end', 5, transactionalId, fifth, T);
  await end(talk, 'epochs: old end', OLD_END, transactionalId, fifth, true);
  await settle(talk, 'epochs: after an old end', transactionalId);
  await ask('new end after an old one', fifth, true);
  await ask('new abort after an old end', fifth, false);
  await init(talk, 'epochs: after all', 5, { transactionalId });
  await end(talk, 'epochs: of nobody', NEW_END, 'nobody-5', first, true);
  await end(talk, 'epochs: without a transactional id', NEW_END, '', first, true);
}

async function verification(talk: TransactionConversation): Promise<void> {
  const transactionalId = 'verified';
  const producer = await begin(talk, transactionalId);
  for (const version of [4, 5]) {
    const verify = (what: string, id: string, by: Producer, topics = T) =>
      add(talk, `verify: ${what}`, version, id, by, topics, true);
    const owner = version === 4 ? producer : await begin(talk, transactionalId);
    await verify('without a transaction', transactionalId, owner);
    await add(talk, `verify ${version}: begin`, version, transactionalId, owner, [
      { name: 't', partitions: [2] },
    ]);
    await verify('what is there in part', transactionalId, owner);
    await verify('of nobody', `nobody-${version}`, owner);
    await verify('without a transactional id', '', owner);
    await verify('with the id of somebody else', transactionalId, stranger(owner));
    await verify('with an epoch before', transactionalId, fenced(owner));
    await verify('with an epoch to come', transactionalId, future(owner));
    await verify('in an unknown topic', transactionalId, owner, [{ name: 'never-was', partitions: [0] }]);
    await end(talk, `verify ${version}: commit`, OLD_END, transactionalId, owner, true);
    await settle(talk, `verify ${version}: committed`, transactionalId);
    await verify('after the end', transactionalId, owner);
  }
  const { AddPartitionsToTxnRequest, AddPartitionsToTxnResponse } = addPartitions;
  const owner = await begin(talk, transactionalId);
  const other = await begin(talk, 'verified too');
  await talk.ask('verify: several transactions', AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, 5, {
    transactions: [
      { transactionalId, ...owner, topics: T },
      { transactionalId: 'verified too', ...other, topics: T, verifyOnly: true },
      { transactionalId: 'nobody', ...other, topics: T, verifyOnly: true },
    ],
  });
}

async function administration(talk: TransactionConversation): Promise<void> {
  const { ListTransactionsRequest, ListTransactionsResponse } = listTransactions;
  type Filters = Sparse<listTransactions.ListTransactionsRequest>;
  const list = (what: string, version: number, asked: Filters) =>
    talk.ask(`list ${what}`, ListTransactionsRequest, ListTransactionsResponse, version, asked);
  const open = await begin(talk, 'listed');
  await add(talk, 'list: begin', 3, 'listed', open, T);
  for (let version = 0; version <= 2; version++) {
    await list('all', version, {});
    await list('by state', version, { stateFilters: ['Ongoing'] });
    await list('by two states', version, { stateFilters: ['Ongoing', 'CompleteAbort'] });
    await list('by states that are none', version, { stateFilters: ['ongoing', 'Nonsense', 'Nonsense'] });
    await list('by a state and one that is none', version, { stateFilters: ['Ongoing', 'Nonsense'] });
    await list('by states that are never shown', version, { stateFilters: ['Dead', 'PrepareEpochFence'] });
    await list('by producer', version, { producerIdFilters: [open.producerId] });
    await list('by a producer that is none', version, { producerIdFilters: [STRANGER] });
    await list('by both', version, { producerIdFilters: [open.producerId], stateFilters: ['Empty'] });
    if (version === 0) continue;
    await list('of the last hour', version, { durationFilter: 3_600_000n });
    await list('of any age', version, { durationFilter: -1n });
    await list('of no age', version, { durationFilter: -7n, stateFilters: ['Ongoing'] });
  }
  for (const transactionalIdPattern of [
    '',
    'list.*',
    'list',
    '(list|ends)(ed|-[13])',
    'probe-1\\d?',
    '[',
    '\\p{Lu}',
  ]) {
    await list(`by the pattern ${transactionalIdPattern}`, 2, { transactionalIdPattern });
  }
  const { DescribeTransactionsRequest, DescribeTransactionsResponse } = describeTransactions;
  await talk.ask('describe', DescribeTransactionsRequest, DescribeTransactionsResponse, 0, {
    transactionalIds: ['listed', 'nobody', '', 'ends-1', 'epochs'],
  });
}

async function timeouts(talk: TransactionConversation): Promise<void> {
  for (const version of [OLD_END, NEW_END]) {
    const transactionalId = `late-${version}`;
    const producer = await init(talk, `timeout ${version}`, 5, {
      transactionalId,
      transactionTimeoutMs: 1,
    });
    await add(talk, `timeout ${version}: begin`, 3, transactionalId, producer, T);
    const { DescribeTransactionsRequest, DescribeTransactionsResponse } = describeTransactions;
    const aborted = await until('the abort', async () => {
      const got = await talk.client.request(DescribeTransactionsRequest, DescribeTransactionsResponse, 0, {
        transactionalIds: [transactionalId],
      });
      return got.transactionStates[0]!.transactionState === 'CompleteAbort' ? got : undefined;
    });
    talk.keep(`timeout ${version}: aborted`, aborted);
    for (const committed of [true, false]) {
      const what = `timeout ${version}: ${committed ? 'commit' : 'abort'} after it`;
      await end(talk, what, version, transactionalId, producer, committed);
    }
    await add(talk, `timeout ${version}: go on after it`, 3, transactionalId, producer, T);
    const { producerId, producerEpoch } = producer;
    await init(talk, `timeout ${version}: from its epoch`, 5, {
      transactionalId,
      producerId,
      producerEpoch,
    });
    await init(talk, `timeout ${version}: again`, 5, { transactionalId });
  }
}
