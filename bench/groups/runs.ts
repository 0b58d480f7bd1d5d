import { decode } from '../../src/protocol/codec.ts';
import { decodeResponseHeader } from '../../src/protocol/headers.ts';
import { ApiVersionsRequest, ApiVersionsResponse } from '../../src/protocol/messages/api-versions.ts';
import { ConsumerGroupHeartbeatRequest } from '../../src/protocol/messages/consumer-group-heartbeat.ts';
import {
  FindCoordinatorRequest,
  FindCoordinatorResponse,
} from '../../src/protocol/messages/find-coordinator.ts';
import { HeartbeatRequest, HeartbeatResponse } from '../../src/protocol/messages/heartbeat.ts';
import { JoinGroupRequest, JoinGroupResponse } from '../../src/protocol/messages/join-group.ts';
import { ListGroupsRequest, ListGroupsResponse } from '../../src/protocol/messages/list-groups.ts';
import { OffsetCommitRequest, OffsetCommitResponse } from '../../src/protocol/messages/offset-commit.ts';
import { OffsetFetchRequest, OffsetFetchResponse } from '../../src/protocol/messages/offset-fetch.ts';
import { SyncGroupRequest, SyncGroupResponse } from '../../src/protocol/messages/sync-group.ts';
import type { MessageSchema } from '../../src/protocol/schema.ts';
import { sleep } from '../../test/interop/support/run.ts';
import type { Target } from '../../test/interop/support/target.ts';
import { type Figures, median } from '../logs/report.ts';
import { withNodeServer } from '../node-server.ts';
import { cpuMsOf, residentMiBOf } from '../process-cost.ts';
import { hotLoop, type Repeated } from './hot-loop.ts';
import { ClassicMember, ConsumerMember, type GroupTopic, type Member, settled } from './members.ts';
import { frameOf, Peer } from './peer.ts';
import { filledTopic, subscriptionTo } from './topic.ts';

const PARTITIONS = 100;
const MEMORY_CONNECTIONS = 20;
const OFFSET_MARK = 0x7a5c_3e1f_5b6dn;
/** Of an OffsetCommit answer for one partition. */
const ANSWER_BYTES = 48;

export type Protocol = 'classic' | 'consumer';

export interface Length {
  readonly warmupMs: number;
  readonly measureMs: number;
}

/** Whether the broker serves groups of this protocol. */
export async function serves(target: Target, protocol: Protocol): Promise<boolean> {
  if (protocol === 'classic') return true;
  const peer = await Peer.open(target.port);
  const { apiKeys } = await peer.ask(ApiVersionsRequest, ApiVersionsResponse, 0, {});
  peer.close();
  return apiKeys.some(({ apiKey }) => apiKey === ConsumerGroupHeartbeatRequest.apiKey);
}

/** Resolves when the coordinators are there: the first who asks makes their topic. */
export async function coordinated(target: Target): Promise<void> {
  const peer = await Peer.open(target.port);
  for (;;) {
    const { errorCode } = await peer.ask(FindCoordinatorRequest, FindCoordinatorResponse, 3, { key: 'g' });
    if (errorCode === 0) break;
    await sleep(20);
  }
  peer.close();
}

/** Members that go on by themselves until `stop`, which rethrows what went wrong with one of them. */
async function living<T>(
  protocol: Protocol,
  group: GroupTopic,
  count: number,
  use: (members: readonly Member[], start: (member: Member) => void) => Promise<T>,
): Promise<T> {
  const members = [];
  for (let i = 0; i < count; i++)
    members.push(await (protocol === 'classic' ? ClassicMember : ConsumerMember).open(group));
  let fail: (error: unknown) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => undefined);
  try {
    const start = (member: Member) => void member.run().catch(fail);
    return await Promise.race([use(members, start), failed]);
  } finally {
    for (const member of members) member.close();
  }
}

/**
 * From the first join until all members are in one generation and have read a record of each of their partitions: the
 * median of the groups for which there is time, one after the other.
 */
export async function joining(
  target: Target,
  protocol: Protocol,
  count: number,
  measureMs: number,
): Promise<Figures> {
  const name = `join-${protocol}-${count}-${process.hrtime.bigint()}`;
  const topic = await filledTopic(target.port, name, PARTITIONS);
  const endMs = performance.now() + measureMs;
  const joined: Figures[] = [];
  do {
    const groupId = `${name}-${joined.length}`;
    joined.push(await joinOnce({ port: target.port, groupId, topic, size: count }, protocol, count));
  } while (performance.now() < endMs);
  return median(joined);
}

function joinOnce(group: GroupTopic, protocol: Protocol, count: number): Promise<Figures> {
  return living(protocol, group, count, async (members, start) => {
    const beginMs = performance.now();
    for (const member of members) start(member);
    await settled(members, group.topic);
    const ms = performance.now() - beginMs;
    // Nobody is missed when the next group is measured.
    await Promise.all(members.map((member) => member.leave()));
    return { 'first join to all consumed, ms': ms };
  });
}

/** Each of 50 members leaves, and another one takes its place before the next. */
export async function rollingRestart(target: Target, protocol: Protocol, count = 50): Promise<Figures> {
  const name = `roll-${protocol}-${process.hrtime.bigint()}`;
  const topic = await filledTopic(target.port, name, PARTITIONS);
  const group = { port: target.port, groupId: name, topic, size: count };
  const pid = target.process.pid ?? 0;
  return living(protocol, group, 2 * count, async (members, start) => {
    for (const member of members.slice(0, count)) start(member);
    await settled(members.slice(0, count), topic);
    const [beginMs, cpuBefore] = [performance.now(), cpuMsOf(pid)];
    for (let i = 0; i < count; i++) {
      await members[i]?.leave();
      start(members[count + i]!);
      await settled(members.slice(i + 1, i + 1 + count), topic);
    }
    return { 'all restarted, ms': performance.now() - beginMs, 'broker CPU, ms': cpuMsOf(pid) - cpuBefore };
  });
}

/** Offset commits and heartbeats of 16 members in 4 groups, each awaiting one answer at a time. */
export async function commitsAndHeartbeats(target: Target, length: Length): Promise<Figures> {
  const name = `commits-${process.hrtime.bigint()}`;
  const topic = await filledTopic(target.port, name, 4);
  const groups = Array.from({ length: 4 }, (_, i) => ({
    port: target.port,
    groupId: `${name}-${i}`,
    topic,
    size: 4,
  }));
  const members = (await Promise.all(groups.map((group) => settledMembers(group, 4)))).flat();
  const commits = members.map(({ group, member }) => repeatedCommit(group, member));
  const pid = target.process.pid ?? 0;
  const measure = (requests: readonly Repeated[]) =>
    hotLoop(requests, () => cpuMsOf(pid), length.warmupMs, length.measureMs);
  const committed = await measure(commits.map(({ repeated }) => repeated));
  for (const [i, { member, group }] of members.entries()) {
    const found = await committedOffset(member, group);
    const wanted = commits[i]!.offset();
    if (found !== wanted) throw new Error(`the group has ${found} committed and not ${wanted}`);
  }
  const heartbeats = await measure(members.map(({ group, member }) => repeatedHeartbeat(group, member)));
  for (const { member } of members) await member.leave();
  return {
    'commits/s': committed.perSecond,
    'commit p50, ms': committed.p50Ms,
    'commit p99, ms': committed.p99Ms,
    'CPU µs per commit': committed.cpuUs,
    'heartbeats/s': heartbeats.perSecond,
    'CPU µs per heartbeat': heartbeats.cpuUs,
  };
}

/**
 * What a Node process reaches that only sends a few bytes back for each commit of 16 connections: the floor under all
 * that a broker does for one.
 */
export function echo(length: Length): Promise<Figures> {
  return withNodeServer('groups/echo-server.mjs', [ANSWER_BYTES], async (port, cpuMs) => {
    const requests: Repeated[] = [];
    for (let i = 0; i < 16; i++) {
      const names = { groupId: 'a-group-of-usual-length', topic: 'a-topic-of-usual-length' };
      const frame = commitFrame(names, 'a-member-with-0123456789abcdef0123456789abcdef', 1, i);
      requests.push({ peer: await Peer.open(port), frame, next: () => {}, check: () => {} });
    }
    const answered = await hotLoop(requests, cpuMs, length.warmupMs, length.measureMs);
    for (const { peer } of requests) peer.close();
    return { 'echoes/s': answered.perSecond, 'CPU µs per echo': answered.cpuUs };
  });
}

interface SettledMember {
  readonly group: GroupTopic;
  readonly member: ClassicMember;
}

/** Members of a stable group that do nothing by themselves any more. */
async function settledMembers(group: GroupTopic, count: number): Promise<SettledMember[]> {
  const members = [];
  for (let i = 0; i < count; i++) members.push(await ClassicMember.open(group));
  const runs = members.map((member) => member.run());
  await Promise.race([settled(members, group.topic), Promise.all(runs)]);
  for (const member of members) member.stop();
  await Promise.all(runs);
  return members.map((member) => ({ group, member }));
}

function commitFrame(
  { groupId, topic }: { readonly groupId: string; readonly topic: string },
  memberId: string,
  generation: number,
  partitionIndex: number,
): Buffer {
  const partitions = [{ partitionIndex, committedOffset: Number(OFFSET_MARK), committedMetadata: '' }];
  const topics = [{ name: topic, partitions }];
  const request = { groupId, memberId, generationIdOrMemberEpoch: generation, topics };
  return frameOf(OffsetCommitRequest, 8, request);
}

function repeatedCommit(group: GroupTopic, member: ClassicMember) {
  const [partitionIndex = 0] = member.assigned;
  const names = { groupId: group.groupId, topic: group.topic.name };
  const frame = commitFrame(names, member.memberId, member.settledGeneration, partitionIndex);
  const mark = Buffer.alloc(8);
  mark.writeBigInt64BE(OFFSET_MARK);
  const at = frame.indexOf(mark);
  let offset = 0;
  const next = (): void => {
    offset += 1;
    frame.writeBigInt64BE(BigInt(offset), at);
  };
  const check = (answer: Buffer): void => {
    const { topics } = decoded(OffsetCommitResponse, 8, answer);
    const code = topics[0]?.partitions[0]?.errorCode;
    if (code !== 0) throw new Error(`OffsetCommit answered ${code}`);
  };
  return { repeated: { peer: member.coordinator, frame, next, check }, offset: () => offset };
}

function repeatedHeartbeat(group: GroupTopic, member: ClassicMember): Repeated {
  const { memberId, settledGeneration: generationId } = member;
  const frame = frameOf(HeartbeatRequest, 3, { groupId: group.groupId, generationId, memberId });
  const check = (answer: Buffer): void => {
    const { errorCode } = decoded(HeartbeatResponse, 3, answer);
    if (errorCode !== 0) throw new Error(`Heartbeat answered ${errorCode}`);
  };
  return { peer: member.coordinator, frame, next: () => {}, check };
}

function decoded<T>(schema: MessageSchema<T>, version: number, answer: Buffer): T {
  return decode(schema, version, answer, decodeResponseHeader(answer, schema.apiKey, version).bodyAt);
}

async function committedOffset(member: ClassicMember, group: GroupTopic): Promise<number> {
  const [partition = 0] = member.assigned;
  const topics = [{ name: group.topic.name, partitionIndexes: [partition] }];
  const request = { groupId: group.groupId, topics };
  const answer = await member.coordinator.ask(OffsetFetchRequest, OffsetFetchResponse, 5, request);
  return answer.topics[0]?.partitions[0]?.committedOffset ?? -1;
}

/** What so many groups take, each with a member that has an assignment and one committed offset. */
export async function memoryOfGroups(target: Target, count: number): Promise<Figures> {
  const topic = `memory-${process.hrtime.bigint()}`;
  await filledTopic(target.port, topic, 1);
  const pid = target.process.pid ?? 0;
  const peers = await Promise.all(Array.from({ length: MEMORY_CONNECTIONS }, () => Peer.open(target.port)));
  const make = (from: number, to: number) =>
    Promise.all(
      peers.map(async (peer, at) => {
        for (let i = from + at; i < to; i += peers.length)
          await groupWithOffset(peer, topic, `${topic}-${i}`);
      }),
    );
  await make(0, MEMORY_CONNECTIONS);
  await sleep(2000);
  const before = residentMiBOf(pid);
  const beginMs = performance.now();
  await make(MEMORY_CONNECTIONS, count + MEMORY_CONNECTIONS);
  const ms = performance.now() - beginMs;
  await sleep(2000);
  const after = residentMiBOf(pid);
  const listed = await peers[0]!.ask(ListGroupsRequest, ListGroupsResponse, 4, {});
  const found = listed.groups.filter(
    ({ groupId, groupState }) => groupId.startsWith(topic) && groupState === 'Stable',
  );
  if (found.length !== count + MEMORY_CONNECTIONS)
    throw new Error(`${found.length} groups are listed as stable`);
  for (const peer of peers) peer.close();
  return { 'resident memory more, MiB': after - before, 'made in, ms': ms };
}

async function groupWithOffset(peer: Peer, topic: string, groupId: string): Promise<void> {
  const joined = await peer.ask(JoinGroupRequest, JoinGroupResponse, 3, {
    groupId,
    sessionTimeoutMs: 300_000,
    rebalanceTimeoutMs: 300_000,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: subscriptionTo(topic) }],
  });
  const { memberId, generationId } = joined;
  const assignments = [{ memberId, assignment: Buffer.alloc(50, 2) }];
  const synced = await peer.ask(SyncGroupRequest, SyncGroupResponse, 2, {
    groupId,
    memberId,
    generationId,
    assignments,
  });
  const committed = await peer.ask(OffsetCommitRequest, OffsetCommitResponse, 6, {
    groupId,
    memberId,
    generationIdOrMemberEpoch: generationId,
    topics: [{ name: topic, partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: '' }] }],
  });
  const codes = [joined.errorCode, synced.errorCode, committed.topics[0]?.partitions[0]?.errorCode];
  if (codes.join() !== '0,0,0') throw new Error(`a group could not be made: ${codes.join()}`);
}
