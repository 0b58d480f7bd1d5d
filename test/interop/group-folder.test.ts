import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { defaults, type Sparse } from '../../src/protocol/codec.ts';
import { CreateTopicsRequest, CreateTopicsResponse } from '../../src/protocol/messages/create-topics.ts';
import {
  DescribeGroupsRequest,
  DescribeGroupsResponse,
} from '../../src/protocol/messages/describe-groups.ts';
import {
  FindCoordinatorRequest,
  FindCoordinatorResponse,
} from '../../src/protocol/messages/find-coordinator.ts';
import { HeartbeatRequest, HeartbeatResponse } from '../../src/protocol/messages/heartbeat.ts';
import { JoinGroupRequest, JoinGroupResponse } from '../../src/protocol/messages/join-group.ts';
import { OffsetCommitRequest, OffsetCommitResponse } from '../../src/protocol/messages/offset-commit.ts';
import { OffsetFetchRequest, OffsetFetchResponse } from '../../src/protocol/messages/offset-fetch.ts';
import { SyncGroupRequest, SyncGroupResponse } from '../../src/protocol/messages/sync-group.ts';
import type { MessageSchema } from '../../src/protocol/schema.ts';
import { WireClient } from '../integration/wire-client.ts';
import { subscription } from '../unit/coordinator/subscription.ts';
import { apacheMissing } from './support/apache.ts';
import { freePort } from './support/ports.ts';
import { until } from './support/run.ts';
import { startTarget, type TargetName } from './support/target.ts';

const PORT = await freePort();
const GROUP = 'taken-over';
const properties = { 'group.initial.rebalance.delay.ms': '0', 'offsets.topic.num.partitions': '3' };
const SESSION_MS = 300_000;

async function ask<Request, Response>(
  client: WireClient,
  request: MessageSchema<Request>,
  response: MessageSchema<Response>,
  version: number,
  given: Sparse<Request>,
): Promise<Response> {
  return client.request(request, response, version, defaults(request, given));
}

interface Member {
  readonly memberId: string;
  readonly generationId: number;
}

/** A member with an assignment and a committed offset, which is still there when the broker goes. */
async function makeGroup(name: TargetName, dataDir: string): Promise<Member> {
  const target = await startTarget(name, { port: PORT, dataDir, properties });
  const client = await WireClient.open(target.bootstrap);
  try {
    const topics = [{ name: 't', numPartitions: 2, replicationFactor: 1 }];
    await ask(client, CreateTopicsRequest, CreateTopicsResponse, 7, { topics, timeoutMs: 10_000 });
    const joining = {
      groupId: GROUP,
      sessionTimeoutMs: SESSION_MS,
      rebalanceTimeoutMs: SESSION_MS,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: subscription('t') }],
    };
    const joined = await until('a member', async () => {
      await ask(client, FindCoordinatorRequest, FindCoordinatorResponse, 3, { key: GROUP });
      const answer = await ask(client, JoinGroupRequest, JoinGroupResponse, 3, joining);
      return answer.errorCode === 0 ? answer : undefined;
    });
    const { memberId, generationId } = joined;
    const assignments = [{ memberId, assignment: Buffer.from('all') }];
    await ask(client, SyncGroupRequest, SyncGroupResponse, 3, {
      groupId: GROUP,
      memberId,
      generationId,
      assignments,
    });
    const partitions = [{ partitionIndex: 1, committedOffset: 42, committedMetadata: 'kept' }];
    const committed = await ask(client, OffsetCommitRequest, OffsetCommitResponse, 9, {
      groupId: GROUP,
      memberId,
      generationIdOrMemberEpoch: generationId,
      topics: [{ name: 't', partitions }],
    });
    expect(committed.topics[0]!.partitions[0]!.errorCode).toBe(0);
    return { memberId, generationId };
  } finally {
    client.close();
    await target.stop();
  }
}

/** The member goes on at the other broker as if nothing had happened. */
async function goOn(name: TargetName, dataDir: string, { memberId, generationId }: Member): Promise<void> {
  const target = await startTarget(name, { port: PORT, dataDir, properties });
  const client = await WireClient.open(target.bootstrap);
  try {
    const member = { groupId: GROUP, memberId, generationId };
    const synced = await until('the group to be loaded', async () => {
      const answer = await ask(client, SyncGroupRequest, SyncGroupResponse, 3, member);
      return [14, 15, 16].includes(answer.errorCode) ? undefined : answer;
    });
    expect([synced.errorCode, Buffer.from(synced.assignment).toString()]).toEqual([0, 'all']);
    expect((await ask(client, HeartbeatRequest, HeartbeatResponse, 3, member)).errorCode).toBe(0);
    const described = await ask(client, DescribeGroupsRequest, DescribeGroupsResponse, 5, {
      groups: [GROUP],
    });
    expect(described.groups[0]).toMatchObject({
      groupState: 'Stable',
      protocolData: 'range',
      members: [{ memberId }],
    });
    const groups = [{ groupId: GROUP, topics: null }];
    const offsets = await ask(client, OffsetFetchRequest, OffsetFetchResponse, 8, { groups });
    expect(offsets.groups[0]!.topics).toMatchObject([
      { name: 't', partitions: [{ partitionIndex: 1, committedOffset: 42, metadata: 'kept' }] },
    ]);
  } finally {
    client.close();
    await target.stop();
  }
}

const missing = await apacheMissing();
const skipped = missing === undefined ? '' : ` (SKIPPED: ${missing})`;

describe('a group in the middle of its generation', () => {
  const ways = [
    ['apache', 'odradek'],
    ['odradek', 'apache'],
  ] as const;
  test.skipIf(missing !== undefined).each(ways)(
    `goes from %s to %s with the folder${skipped}`,
    async (from, to) => {
      const dataDir = mkdtempSync(join(tmpdir(), 'odradek-group-folder-'));
      try {
        const member = await makeGroup(from, dataDir);
        await goOn(to, dataDir, member);
        await goOn(from, dataDir, member);
      } finally {
        rmSync(dataDir, { recursive: true, force: true });
      }
    },
  );
});
