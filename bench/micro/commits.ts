/**
 * What an offset commit costs in a node's own code: 16 connections with one commit in flight each, as members of 4
 * groups, without sockets and with its files in memory. Beside it what the sockets alone cost is `echo` of the groups'
 * benchmark.
 */
import { decode } from '../../src/protocol/codec.ts';
import { decodeResponseHeader } from '../../src/protocol/headers.ts';
import { CreateTopicsRequest, CreateTopicsResponse } from '../../src/protocol/messages/create-topics.ts';
import {
  FindCoordinatorRequest,
  FindCoordinatorResponse,
} from '../../src/protocol/messages/find-coordinator.ts';
import { JoinGroupRequest, JoinGroupResponse } from '../../src/protocol/messages/join-group.ts';
import { OffsetCommitRequest, OffsetCommitResponse } from '../../src/protocol/messages/offset-commit.ts';
import { SyncGroupRequest, SyncGroupResponse } from '../../src/protocol/messages/sync-group.ts';
import { ask, type DirectLink, directNode, frameOf } from './direct-node.ts';
import { check, column } from './measure.ts';

const CONNECTIONS = 16;
const GROUPS = 4;
const COMMIT_VERSION = 8;
const ROUNDS = 7;
const COMMITS_PER_ROUND = 100_000;
const OFFSET_MARK = 0x7a5c_3e1f_5b6dn;
const LENGTH_BYTES = 4;
const CORRELATION_AT = 8;

const { links, stop } = await directNode(CONNECTIONS);
const [first] = links as [DirectLink];
await ask(first, CreateTopicsRequest, CreateTopicsResponse, 7, {
  topics: [{ name: 'a-topic-with-a-name', numPartitions: CONNECTIONS, replicationFactor: 1 }],
  timeoutMs: 30_000,
});
const frames: Buffer[] = [];
for (let i = 0; i < GROUPS; i++) {
  const groupId = `a-group-with-a-name-${i}`;
  for (;;) {
    const found = await ask(first, FindCoordinatorRequest, FindCoordinatorResponse, 3, { key: groupId });
    if (found.errorCode === 0) break;
  }
  const { memberId, generationId } = await ask(first, JoinGroupRequest, JoinGroupResponse, 3, {
    groupId,
    sessionTimeoutMs: 45_000,
    rebalanceTimeoutMs: 60_000,
    protocolType: 'bench',
    protocols: [{ name: 'bench', metadata: Buffer.alloc(0) }],
  });
  const synced = await ask(first, SyncGroupRequest, SyncGroupResponse, 3, {
    groupId,
    generationId,
    memberId,
    assignments: [{ memberId, assignment: Buffer.alloc(0) }],
  });
  check(synced.errorCode === 0, `SyncGroup answered ${synced.errorCode}`);
  for (let partitionIndex = i; partitionIndex < CONNECTIONS; partitionIndex += GROUPS) {
    const partitions = [
      {
        partitionIndex,
        committedOffset: Number(OFFSET_MARK),
        committedLeaderEpoch: -1,
        committedMetadata: '',
      },
    ];
    frames[partitionIndex] = frameOf(OffsetCommitRequest, COMMIT_VERSION, {
      groupId,
      memberId,
      generationIdOrMemberEpoch: generationId,
      topics: [{ name: 'a-topic-with-a-name', partitions }],
    });
  }
}
const mark = Buffer.alloc(8);
mark.writeBigInt64BE(OFFSET_MARK);
const offsetAt = frames.map((frame) => frame.indexOf(mark));

let asked = 0;
let left = 0;
let wake = (): void => {};
function commitAt(connection: number): void {
  asked += 1;
  const frame = frames[connection]!;
  frame.writeInt32BE(asked & 0x7fff_ffff, CORRELATION_AT);
  frame.writeInt32BE(asked, offsetAt[connection]! + 4);
  links[connection]!.give(frame);
}
let firstAnswer: Uint8Array | undefined;
for (const link of links) {
  link.answered = (answer) => {
    firstAnswer ??= Buffer.from(answer);
    left -= 1;
    if (left % CONNECTIONS === 0) wake();
  };
}
async function round(commits: number): Promise<number> {
  left = commits;
  const before = process.cpuUsage();
  while (left > 0) {
    const answered = new Promise<void>((resolve) => {
      wake = resolve;
    });
    for (let connection = 0; connection < CONNECTIONS; connection++) commitAt(connection);
    await answered;
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / commits;
}

await round(COMMITS_PER_ROUND);
const answer = decode(
  OffsetCommitResponse,
  COMMIT_VERSION,
  firstAnswer!,
  decodeResponseHeader(firstAnswer!, OffsetCommitResponse.apiKey, COMMIT_VERSION, LENGTH_BYTES).bodyAt,
);
check(answer.topics[0]?.partitions[0]?.errorCode === 0, 'a commit is refused');
const costs: number[] = [];
for (let i = 0; i < ROUNDS; i++) costs.push(await round(COMMITS_PER_ROUND));
costs.sort((a, b) => a - b);
console.log(`CPU µs a commit: median ${column(costs[ROUNDS >> 1]!)}, least ${column(costs[0]!)}`);
await stop();
