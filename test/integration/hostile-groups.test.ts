import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ZERO_UUID } from '../../src/base/uuid.ts';
import { defaults, type Sparse } from '../../src/protocol/codec.ts';
import { Errors } from '../../src/protocol/errors.ts';
import {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '../../src/protocol/messages/consumer-group-heartbeat.ts';
import { CreateTopicsRequest, CreateTopicsResponse } from '../../src/protocol/messages/create-topics.ts';
import {
  FindCoordinatorRequest,
  FindCoordinatorResponse,
} from '../../src/protocol/messages/find-coordinator.ts';
import { HeartbeatRequest, HeartbeatResponse } from '../../src/protocol/messages/heartbeat.ts';
import { JoinGroupRequest, JoinGroupResponse } from '../../src/protocol/messages/join-group.ts';
import { LeaveGroupRequest, LeaveGroupResponse } from '../../src/protocol/messages/leave-group.ts';
import { OffsetCommitRequest, OffsetCommitResponse } from '../../src/protocol/messages/offset-commit.ts';
import { OffsetFetchRequest, OffsetFetchResponse } from '../../src/protocol/messages/offset-fetch.ts';
import { SyncGroupRequest, SyncGroupResponse } from '../../src/protocol/messages/sync-group.ts';
import type { MessageSchema } from '../../src/protocol/schema.ts';
import { UNKNOWN_TAGGED_FIELDS } from '../../src/protocol/tagged-fields.ts';
import { subscription } from '../unit/coordinator/subscription.ts';
import { Target } from './hostile-target.ts';
import { frameOf, WireClient } from './wire-client.ts';

const TOPIC = 'goes-on';
const RESIDENT_BYTES_MAX = 300_000_000;
const MEGABYTE = 1_000_000;
const CROWD = 3000;
const JOIN_VERSION = 3;
const LENGTH_BYTES = 4;

/** A connection on which requests may follow each other without an answer. */
class Asker {
  readonly #wire: WireClient;
  #sent = 0;
  #received = 0;

  private constructor(wire: WireClient) {
    this.#wire = wire;
  }

  static async open(port: number): Promise<Asker> {
    return new Asker(await WireClient.open(`127.0.0.1:${port}`));
  }

  get isClosed(): boolean {
    return this.#wire.isClosed;
  }

  close(): void {
    this.#wire.close();
  }

  send<Request>(request: MessageSchema<Request>, version: number, given: Sparse<Request>): void {
    this.#sent += 1;
    this.#wire.write(frameOf(request, version, this.#sent, defaults(request, given)));
  }

  answer<Response>(response: MessageSchema<Response>, version: number): Promise<Response> {
    this.#received += 1;
    return this.#wire.answer(response, version, this.#received);
  }

  ask<Request, Response>(
    request: MessageSchema<Request>,
    response: MessageSchema<Response>,
    version: number,
    given: Sparse<Request>,
  ): Promise<Response> {
    this.send(request, version, given);
    return this.answer(response, version);
  }

  /** Sends a frame as it is; the answer's bytes, or undefined where the connection was closed instead. */
  askRaw(frame: Buffer): Promise<Buffer | undefined> {
    this.#wire.write(frame);
    return this.#wire.receive();
  }

  beat(given: Sparse<ConsumerGroupHeartbeatRequest>, version = 1): Promise<ConsumerGroupHeartbeatResponse> {
    return this.ask(ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, version, given);
  }

  join(given: Sparse<JoinGroupRequest>): Promise<JoinGroupResponse> {
    return this.ask(JoinGroupRequest, JoinGroupResponse, JOIN_VERSION, joining(given));
  }
}

const joining = (given: Sparse<JoinGroupRequest>): Sparse<JoinGroupRequest> => ({
  sessionTimeoutMs: 45_000,
  rebalanceTimeoutMs: 60_000,
  protocolType: 'consumer',
  protocols: [{ name: 'range', metadata: subscription(TOPIC) }],
  ...given,
});

const joiningBeat = (groupId: string, memberId: string): Sparse<ConsumerGroupHeartbeatRequest> => ({
  groupId,
  memberId,
  rebalanceTimeoutMs: 60_000,
  subscribedTopicNames: [TOPIC],
  topicPartitions: [],
});

/** A group of each protocol with a member that works, and must not notice what is done to others. */
class HonestGroups {
  readonly #asker: Asker;
  #classic = { groupId: 'honest-classic', memberId: '', generationId: 0 };
  #consumer = { groupId: 'honest-consumer', memberId: 'honest', memberEpoch: 0 };
  #offset = 0;

  private constructor(asker: Asker) {
    this.#asker = asker;
  }

  static async start(port: number): Promise<HonestGroups> {
    const honest = new HonestGroups(await Asker.open(port));
    await honest.#join();
    return honest;
  }

  async #join(): Promise<void> {
    const asker = this.#asker;
    const topics = [{ name: TOPIC, numPartitions: 2, replicationFactor: 1 }];
    await asker.ask(CreateTopicsRequest, CreateTopicsResponse, 5, { topics, timeoutMs: 30_000 });
    const { groupId } = this.#classic;
    for (let code: number = Errors.COORDINATOR_NOT_AVAILABLE; code !== Errors.NONE; ) {
      const found = await asker.ask(FindCoordinatorRequest, FindCoordinatorResponse, 3, { key: groupId });
      code = found.errorCode;
    }
    const { memberId, generationId, errorCode } = await asker.join({ groupId });
    expect(errorCode).toBe(Errors.NONE);
    const assignments = [{ memberId, assignment: Buffer.from('all') }];
    const request = { groupId, memberId, generationId, assignments };
    const synced = await asker.ask(SyncGroupRequest, SyncGroupResponse, 3, request);
    expect(synced.errorCode).toBe(Errors.NONE);
    this.#classic = { groupId, memberId, generationId };
    const { groupId: consumerGroup, memberId: consumer } = this.#consumer;
    const { memberEpoch } = await asker.beat(joiningBeat(consumerGroup, consumer));
    expect(memberEpoch).toBeGreaterThan(0);
    this.#consumer = { ...this.#consumer, memberEpoch };
  }

  /** Both heartbeat and commit, and read again what they committed. */
  async goOn(): Promise<void> {
    const asker = this.#asker;
    this.#offset += 1;
    const beat = await asker.ask(HeartbeatRequest, HeartbeatResponse, 3, this.#classic);
    expect(beat.errorCode).toBe(Errors.NONE);
    expect((await asker.beat(this.#consumer)).errorCode).toBe(Errors.NONE);
    const { groupId, memberId, generationId } = this.#classic;
    const { memberEpoch } = this.#consumer;
    for (const member of [
      { groupId, memberId, generationIdOrMemberEpoch: generationId },
      {
        groupId: this.#consumer.groupId,
        memberId: this.#consumer.memberId,
        generationIdOrMemberEpoch: memberEpoch,
      },
    ]) {
      const partitions = [{ partitionIndex: 1, committedOffset: this.#offset }];
      const committed = await asker.ask(OffsetCommitRequest, OffsetCommitResponse, 9, {
        ...member,
        topics: [{ name: TOPIC, partitions }],
      });
      expect(committed.topics[0]?.partitions[0]?.errorCode).toBe(Errors.NONE);
      const fetched = await asker.ask(OffsetFetchRequest, OffsetFetchResponse, 7, {
        groupId: member.groupId,
        topics: [{ name: TOPIC, partitionIndexes: [1] }],
      });
      expect(fetched.topics[0]?.partitions[0]?.committedOffset).toBe(this.#offset);
    }
  }

  /** Goes on while the others do what they do. */
  async during<T>(others: Promise<T>): Promise<T> {
    let isOver = false;
    const over = others.finally(() => {
      isOver = true;
    });
    over.catch(() => undefined);
    do await this.goOn();
    while (!isOver);
    return over;
  }

  close(): void {
    this.#asker.close();
  }
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

/** How often each code came. */
function counted(codes: readonly number[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const code of codes) counts[code] = (counts[code] ?? 0) + 1;
  return counts;
}

describe('hostile members', () => {
  const dir = mkdtempSync(join(tmpdir(), 'odradek-hostile-groups-'));
  let file: string;
  let target: Target;
  let honest: HonestGroups;
  const askers: Asker[] = [];

  const start = async (settings: Readonly<Record<string, string>> = {}) => {
    target = await Target.start(file, mkdtempSync(join(dir, 'node-')), settings);
    honest = await HonestGroups.start(target.port);
  };
  const open = async () => {
    const asker = await Asker.open(target.port);
    askers.push(asker);
    return asker;
  };
  /** What must hold whatever was sent; the log has no errors but those that are `due`. */
  const stands = async (due?: RegExp) => {
    await honest.goOn();
    expect(target.errors.filter((text) => due?.test(text) !== true)).toEqual([]);
    expect(target.exited).toBe(false);
    expect(await target.residentBytes()).toBeLessThan(RESIDENT_BYTES_MAX);
  };

  beforeAll(async () => {
    file = await Target.bundle();
  });
  afterEach(async () => {
    for (const asker of askers.splice(0)) asker.close();
    honest.close();
    await target.stop();
  });
  afterAll(() => {
    rmSync(dir, { recursive: true, force: true });
    rmSync(file, { force: true });
  });

  it('are told what is wrong with what they say, and stay connected', async () => {
    await start();
    const asker = await open();
    const groupId = 'mine';
    const me = { groupId, memberId: 'me' };
    const first = joiningBeat(groupId, 'me');
    const { memberEpoch, errorCode } = await asker.beat(first);
    expect(errorCode).toBe(Errors.NONE);
    const somebody = { ...first, memberId: 'somebody' };
    const regex = (subscribedTopicRegex: string) => ({
      ...somebody,
      subscribedTopicNames: null,
      subscribedTopicRegex,
    });
    const wrong: readonly (readonly [Sparse<ConsumerGroupHeartbeatRequest>, number])[] = [
      [{ ...somebody, groupId: '' }, Errors.INVALID_REQUEST],
      [{ ...somebody, memberId: '' }, Errors.INVALID_REQUEST],
      [{ ...somebody, instanceId: '' }, Errors.INVALID_REQUEST],
      [{ ...somebody, rackId: '' }, Errors.INVALID_REQUEST],
      [{ ...somebody, rebalanceTimeoutMs: -1 }, Errors.INVALID_REQUEST],
      [{ ...somebody, subscribedTopicNames: null }, Errors.INVALID_REQUEST],
      [{ ...somebody, topicPartitions: null }, Errors.INVALID_REQUEST],
      [{ ...somebody, topicPartitions: [{ topicId: ZERO_UUID, partitions: [-1] }] }, Errors.INVALID_REQUEST],
      [{ ...somebody, memberEpoch: -3 }, Errors.INVALID_REQUEST],
      [{ ...somebody, memberEpoch: -2 }, Errors.INVALID_REQUEST],
      [{ ...somebody, memberEpoch: -1 }, Errors.UNKNOWN_MEMBER_ID],
      [{ ...somebody, memberEpoch: 1 }, Errors.UNKNOWN_MEMBER_ID],
      [{ ...somebody, groupId: 'nobodys', memberEpoch: 1 }, Errors.GROUP_ID_NOT_FOUND],
      [{ ...somebody, serverAssignor: 'own' }, Errors.UNSUPPORTED_ASSIGNOR],
      [regex('('), Errors.INVALID_REGULAR_EXPRESSION],
      [regex('(a{1000}){1000}'), Errors.INVALID_REGULAR_EXPRESSION],
      [regex(`${'('.repeat(16_000)}${')'.repeat(16_000)}`), Errors.INVALID_REGULAR_EXPRESSION],
      [{ ...me, memberEpoch: memberEpoch + 1 }, Errors.FENCED_MEMBER_EPOCH],
      [{ ...me, memberEpoch: 0x7fff_ffff }, Errors.FENCED_MEMBER_EPOCH],
    ];
    for (const [given, code] of wrong) {
      const said = await honest.during(asker.beat(given));
      expect([given, said.errorCode]).toEqual([given, code]);
      expect(said.errorMessage).not.toBe('');
    }
    // Partitions of topics that nobody knows, and as many as fit: taken note of, and no more.
    const owned = [{ topicId: ZERO_UUID, partitions: range(50_000).map((i) => i * -1000) }];
    expect((await asker.beat({ ...me, memberEpoch, topicPartitions: owned })).errorCode).toBe(Errors.NONE);
    const tagged = {
      ...first,
      memberId: 'tagged',
      [UNKNOWN_TAGGED_FIELDS]: [{ tag: 77, bytes: Buffer.alloc(9000) }],
    };
    expect((await asker.beat(tagged)).errorCode).toBe(Errors.NONE);
    expect(asker.isClosed).toBe(false);
    await stands();
  });

  it('of the classic protocol may say what nobody can read', async () => {
    await start();
    const asker = await open();
    const said = subscription(TOPIC);
    const unreadable = [
      Buffer.alloc(0),
      Buffer.of(0),
      Buffer.alloc(100, 0xff),
      Buffer.from('0000ffffffff', 'hex'),
      Buffer.from('00007fffffff', 'hex'),
      Buffer.from('7fff00000001ffff', 'hex'),
      said.subarray(0, said.length - 3),
      Buffer.concat([said, Buffer.alloc(1000, 1)]),
    ];
    for (const [i, metadata] of unreadable.entries()) {
      const groupId = `unreadable-${i}`;
      const joined = await asker.join({ groupId, protocols: [{ name: 'range', metadata }] });
      expect([i, joined.errorCode]).toEqual([i, Errors.NONE]);
      const { memberId, generationId } = joined;
      const assignments = [
        { memberId, assignment: Buffer.alloc(100, 0xff) },
        { memberId: 'nobody', assignment: Buffer.alloc(10) },
      ];
      const request = { groupId, memberId, generationId, assignments };
      const synced = await asker.ask(SyncGroupRequest, SyncGroupResponse, 3, request);
      expect([i, synced.errorCode]).toEqual([i, Errors.NONE]);
      // Somebody of the other protocol comes, for whom the group would have to be understood.
      const other = await honest.during(asker.beat(joiningBeat(groupId, 'other')));
      expect([Errors.NONE, Errors.GROUP_ID_NOT_FOUND]).toContain(other.errorCode);
      const left = await asker.ask(LeaveGroupRequest, LeaveGroupResponse, 3, {
        groupId,
        members: [{ memberId }],
      });
      expect([i, left.errorCode]).toEqual([i, Errors.NONE]);
    }
    const refused: readonly (readonly [Sparse<JoinGroupRequest>, number])[] = [
      [{ groupId: '' }, Errors.INVALID_GROUP_ID],
      [{ groupId: 'g', sessionTimeoutMs: -1 }, Errors.INVALID_SESSION_TIMEOUT],
      [{ groupId: 'g', sessionTimeoutMs: 0x7fff_ffff }, Errors.INVALID_SESSION_TIMEOUT],
      [{ groupId: 'g', protocols: [] }, Errors.INCONSISTENT_GROUP_PROTOCOL],
      [{ groupId: 'g', protocolType: '' }, Errors.INCONSISTENT_GROUP_PROTOCOL],
      [{ groupId: 'g', memberId: 'nobody' }, Errors.UNKNOWN_MEMBER_ID],
      [{ groupId: 'honest-classic', protocolType: 'other' }, Errors.INCONSISTENT_GROUP_PROTOCOL],
    ];
    for (const [given, code] of refused) {
      const { errorCode } = await asker.join(given);
      expect([given, errorCode]).toEqual([given, code]);
    }
    await stands();
  });

  it('may bend any byte of what they say', async () => {
    await start();
    const beat = frameOf(
      ConsumerGroupHeartbeatRequest,
      1,
      1,
      defaults(ConsumerGroupHeartbeatRequest, {
        groupId: 'bent',
        memberId: 'me',
        rebalanceTimeoutMs: 60_000,
        subscribedTopicNames: [TOPIC],
        subscribedTopicRegex: 'a.*',
        topicPartitions: [{ topicId: ZERO_UUID, partitions: [1, 2] }],
      }),
    );
    const join = frameOf(
      JoinGroupRequest,
      9,
      1,
      defaults(JoinGroupRequest, joining({ groupId: 'bent', memberId: '' })),
    );
    const bend = async () => {
      for (const frame of [beat, join]) {
        for (let at = LENGTH_BYTES; at < frame.length; at++) {
          for (const byte of [0x00, 0x7f, 0xff]) {
            const bent = Buffer.from(frame);
            bent[at] = byte;
            const asker = await Asker.open(target.port);
            // Some are answered, some end the connection, and some wait: the end of the connection is the end of those.
            asker.askRaw(bent).catch(() => undefined);
            if (byte === 0xff) await asker.askRaw(Buffer.from('00000000', 'hex'));
            asker.close();
          }
        }
      }
    };
    await honest.during(bend());
    await stands();
  });

  it('may subscribe with a megabyte, and with no more than a record takes', async () => {
    await start();
    const asker = await open();
    const name = 'a-topic-among-many';
    const namesOf = (bytes: number) =>
      range(Math.floor(bytes / 27)).map((i) => `${name}-${`${i}`.padStart(6, '0')}`);
    const large = namesOf(MEGABYTE);
    const tooLarge = namesOf(2 * MEGABYTE);
    for (const i of range(2)) {
      const codes = [];
      for (const [size, names] of Object.entries({ large, tooLarge })) {
        const groupId = `${size}-${i}`;
        const beat = await honest.during(
          asker.beat({ ...joiningBeat(`${groupId}-consumer`, 'me'), subscribedTopicNames: names }),
        );
        const protocols = [{ name: 'range', metadata: subscription(...names) }];
        const joined = await honest.during(asker.join({ groupId, protocols }));
        const { memberId, generationId } = joined;
        const assignments = [{ memberId, assignment: Buffer.from('all') }];
        const request = { groupId, memberId, generationId, assignments };
        const synced = await asker.ask(SyncGroupRequest, SyncGroupResponse, 3, request);
        codes.push([beat.errorCode, joined.errorCode, synced.errorCode]);
      }
      expect(codes).toEqual([
        [Errors.NONE, Errors.NONE, Errors.NONE],
        [Errors.UNKNOWN_SERVER_ERROR, Errors.NONE, Errors.UNKNOWN_SERVER_ERROR],
      ]);
    }
    await stands(/^The assignments of group tooLarge-\d could not be stored/);
  });

  it('are as many as group.max.size and group.consumer.max.size say', async () => {
    await start({ 'group.max.size': '500', 'group.consumer.max.size': '500' });
    expect(await honest.during(joinedBeats('crowd', CROWD))).toEqual({
      [Errors.NONE]: 500,
      [Errors.GROUP_MAX_SIZE_REACHED]: CROWD - 500,
    });
    // A join waits for others, so each member has a connection.
    const codes: number[] = [];
    const join = async () => {
      const asker = await open();
      asker.send(JoinGroupRequest, JOIN_VERSION, joining({ groupId: 'waiting' }));
      return asker.answer(JoinGroupResponse, JOIN_VERSION).then(
        ({ errorCode }) => codes.push(errorCode),
        // Those that wait still do so at the end.
        () => undefined,
      );
    };
    await join();
    const refused = 40;
    const joins = Promise.all(range(500 + refused).map(join));
    const areRefused = async () => {
      while (codes.length < 1 + refused) await honest.goOn();
    };
    await areRefused();
    await stands();
    expect(counted(codes)).toEqual({ [Errors.NONE]: 1, [Errors.GROUP_MAX_SIZE_REACHED]: refused });
    for (const asker of askers.splice(0)) asker.close();
    await joins;
  });

  it('may be a crowd where their number has no bound', async () => {
    // As outside of the profile `dev`, where each of them is assigned at once.
    await start({ 'group.consumer.assignment.interval.ms': '1000' });
    expect(await honest.during(joinedBeats('crowd', CROWD))).toEqual({ [Errors.NONE]: CROWD });
    await stands();
  });

  /** The codes that so many members are told who join a consumer group, all on one connection. */
  async function joinedBeats(groupId: string, count: number): Promise<Record<number, number>> {
    const asker = await open();
    for (const i of range(count)) {
      asker.send(ConsumerGroupHeartbeatRequest, 1, joiningBeat(groupId, `member-${i}`));
    }
    const codes = [];
    for (let i = 0; i < count; i++) {
      codes.push((await asker.answer(ConsumerGroupHeartbeatResponse, 1)).errorCode);
    }
    return counted(codes);
  }
});
