import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  ConsumerGroupDescribeRequest,
  ConsumerGroupDescribeResponse,
} from '../../src/protocol/messages/consumer-group-describe.ts';
import { OffsetFetchRequest, OffsetFetchResponse } from '../../src/protocol/messages/offset-fetch.ts';
import { Conversation } from '../integration/conversation.ts';
import { apacheMissing } from './support/apache.ts';
import { WireMember } from './support/consumer-member.ts';
import { freePort } from './support/ports.ts';
import { until } from './support/run.ts';
import { startTarget, type TargetName } from './support/target.ts';
import { makeTopics } from './support/wire.ts';

/** A folder goes from one broker to the other while members of a consumer group are in the middle of their epoch. */

const PORT = await freePort();
const properties = {
  'offsets.topic.num.partitions': '3',
  'group.consumer.assignment.interval.ms': '0',
  'group.consumer.min.assignment.interval.ms': '0',
  'group.consumer.max.session.timeout.ms': '600000',
  'group.consumer.session.timeout.ms': '600000',
};

interface Members {
  readonly one: WireMember;
  readonly two: WireMember;
  readonly regex: WireMember;
}

async function visit(
  name: TargetName,
  dataDir: string,
  does: (talk: Conversation, port: number) => Promise<void>,
): Promise<void> {
  const target = await startTarget(name, { port: PORT, dataDir, properties });
  const talk = await Conversation.open(target.bootstrap);
  try {
    await does(talk, target.port);
  } finally {
    talk.close();
    await target.stop();
  }
}

const membersOf = (talk: Conversation): Members => ({
  one: new WireMember(talk, 'moved', 'one', 'instance-one'),
  two: new WireMember(talk, 'moved', 'two'),
  regex: new WireMember(talk, 'moved-regex', 'regex'),
});

/** The members know what they did, at the broker that is there now. */
function resumed(talk: Conversation, before: Members): Members {
  const now = membersOf(talk);
  for (const name of ['one', 'two', 'regex'] as const)
    now[name].resume(before[name].epoch, before[name].owned);
  return now;
}

/** One member has it all, and another waits for half of it. */
async function begin(talk: Conversation, port: number): Promise<Members> {
  await makeTopics(port, [{ name: 'm', partitions: 4 }]);
  const members = membersOf(talk);
  const { one, two, regex } = members;
  await one.join({ subscribedTopicNames: ['m'], serverAssignor: 'uniform' });
  await one.commit('m', 1, 42);
  await regex.join({ subscribedTopicRegex: '(m|n)' });
  await until('what matches', async () => {
    await regex.settle();
    return regex.ownedCount === 4 ? true : undefined;
  });
  await two.join({ subscribedTopicNames: ['m'] });
  expect([one.ownedCount, two.ownedCount]).toEqual([4, 0]);
  return members;
}

async function goOn(talk: Conversation, before: Members): Promise<Members> {
  const members = resumed(talk, before);
  const { one, two, regex } = members;
  const described = await describeMoved(talk);
  expect(described).toMatchObject({ errorCode: 0, groupState: 'Reconciling', assignorName: 'uniform' });
  expect(described.members.map(({ memberId, memberEpoch }) => [memberId, memberEpoch]).sort()).toEqual([
    ['one', one.epoch],
    ['two', two.epoch],
  ]);
  await until('both to have their halves', async () => {
    await one.settle();
    await two.settle();
    return one.ownedCount === 2 && two.ownedCount === 2 && one.epoch === two.epoch ? true : undefined;
  });
  const epoch = regex.epoch;
  await regex.settle();
  expect([regex.epoch, regex.ownedCount]).toEqual([epoch, 4]);
  await two.commit('m', 2, 7);
  return members;
}

/** Nothing has to move, then somebody leaves. */
async function end(talk: Conversation, before: Members): Promise<void> {
  const { one, two, regex } = resumed(talk, before);
  expect(await describeMoved(talk)).toMatchObject({ errorCode: 0, groupState: 'Stable' });
  const { epoch } = one;
  for (const member of [one, two]) await member.settle();
  expect([one.epoch, two.epoch]).toEqual([epoch, epoch]);
  await two.leave();
  await until('the other to have it all', async () => {
    await one.settle();
    return one.ownedCount === 4 ? true : undefined;
  });
  expect(one.epoch).toBe(epoch + 1);
  await regex.leave();
  const offsets = await talk.quietly(OffsetFetchRequest, OffsetFetchResponse, 9, {
    groups: [{ groupId: 'moved', memberId: 'one', memberEpoch: one.epoch, topics: null }],
  });
  const partitions = offsets.groups[0]!.topics[0]!.partitions.map(({ partitionIndex, committedOffset }) => [
    partitionIndex,
    Number(committedOffset),
  ]);
  expect(partitions.sort()).toEqual([
    [1, 42],
    [2, 7],
  ]);
}

async function describeMoved(talk: Conversation): Promise<ConsumerGroupDescribeResponse['groups'][number]> {
  return until('the group to be loaded', async () => {
    const { groups } = await talk.quietly(ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, 1, {
      groupIds: ['moved'],
    });
    return [14, 15, 16].includes(groups[0]!.errorCode) ? undefined : groups[0]!;
  });
}

const missing = await apacheMissing();
const skipped = missing === undefined ? '' : ` (SKIPPED: ${missing})`;

describe('a consumer group in the middle of its epoch', () => {
  const ways = [
    ['apache', 'odradek'],
    ['odradek', 'apache'],
  ] as const;
  test.skipIf(missing !== undefined).each(ways)(
    `goes from %s to %s and back with the folder${skipped}`,
    async (from, to) => {
      const dataDir = mkdtempSync(join(tmpdir(), 'odradek-consumer-folder-'));
      try {
        let members: Members | undefined;
        await visit(from, dataDir, async (talk, port) => {
          members = await begin(talk, port);
        });
        await visit(to, dataDir, async (talk) => {
          members = await goOn(talk, members!);
        });
        await visit(from, dataDir, (talk) => end(talk, members!));
      } finally {
        rmSync(dataDir, { recursive: true, force: true });
      }
    },
  );
});
