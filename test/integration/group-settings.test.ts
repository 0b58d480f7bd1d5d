import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Broker, startBroker } from '../../src/index.ts';
import { defaults } from '../../src/protocol/codec.ts';
import { Errors } from '../../src/protocol/errors.ts';
import {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '../../src/protocol/messages/consumer-group-heartbeat.ts';
import {
  DescribeConfigsRequest,
  DescribeConfigsResponse,
} from '../../src/protocol/messages/describe-configs.ts';
import {
  FindCoordinatorRequest,
  FindCoordinatorResponse,
} from '../../src/protocol/messages/find-coordinator.ts';
import {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse,
} from '../../src/protocol/messages/incremental-alter-configs.ts';
import {
  ListConfigResourcesRequest,
  ListConfigResourcesResponse,
} from '../../src/protocol/messages/list-config-resources.ts';
import { WireClient } from './wire-client.ts';

const GROUP = 32;
const SOURCE_GROUP = 8;
const SOURCE_DEFAULT = 5;
const SET = 0;
const DELETE = 1;

let broker: Broker;
let client: WireClient;

beforeEach(async () => {
  broker = await startBroker({ memory: true, profile: 'kafka' });
  client = await WireClient.open(broker.bootstrapServers);
});

afterEach(async () => {
  client.close();
  await broker.stop();
});

async function alter(name: string, changes: Record<string, string | null>): Promise<number> {
  const configs = Object.entries(changes).map(([key, value]) => ({
    name: key,
    value,
    configOperation: value === null ? DELETE : SET,
  }));
  const body = defaults<IncrementalAlterConfigsRequest>(IncrementalAlterConfigsRequest, {
    resources: [{ resourceType: GROUP, resourceName: name, configs }],
  });
  const answer = await client.request(
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
    1,
    body,
  );
  return answer.responses[0]!.errorCode;
}

async function described(name: string) {
  const body = defaults<DescribeConfigsRequest>(DescribeConfigsRequest, {
    resources: [{ resourceType: GROUP, resourceName: name, configurationKeys: null }],
    includeSynonyms: true,
  });
  const answer = await client.request(DescribeConfigsRequest, DescribeConfigsResponse, 4, body);
  return answer.results[0]!;
}

/** The heartbeat interval that a member of the group is given; the coordinator may still be on its way. */
async function intervalOf(groupId: string): Promise<number> {
  const find = defaults<FindCoordinatorRequest>(FindCoordinatorRequest, { coordinatorKeys: [groupId] });
  const body = defaults<ConsumerGroupHeartbeatRequest>(ConsumerGroupHeartbeatRequest, {
    groupId,
    memberId: 'a',
    rebalanceTimeoutMs: 1000,
    topicPartitions: [],
    subscribedTopicNames: ['t'],
  });
  for (;;) {
    await client.request(FindCoordinatorRequest, FindCoordinatorResponse, 4, find);
    const { request, response } = {
      request: ConsumerGroupHeartbeatRequest,
      response: ConsumerGroupHeartbeatResponse,
    };
    const { errorCode, heartbeatIntervalMs } = await client.request(request, response, 1, body);
    if (errorCode === Errors.NONE) return heartbeatIntervalMs;
    const isOnItsWay =
      errorCode === Errors.NOT_COORDINATOR || errorCode === Errors.COORDINATOR_LOAD_IN_PROGRESS;
    expect(isOnItsWay).toBe(true);
  }
}

it('a group has settings of its own', async () => {
  expect(await intervalOf('g')).toBe(5000);
  expect(await alter('g', { 'consumer.heartbeat.interval.ms': '6000' })).toBe(Errors.NONE);
  expect(await intervalOf('g')).toBe(6000);
  expect(await intervalOf('other')).toBe(5000);
  const { configs } = await described('g');
  expect(configs.map(({ name }) => name)).toEqual([
    'consumer.assignment.interval.ms',
    'consumer.heartbeat.interval.ms',
    'consumer.session.timeout.ms',
  ]);
  expect(configs[1]).toMatchObject({
    value: '6000',
    configSource: SOURCE_GROUP,
    synonyms: [
      { name: 'consumer.heartbeat.interval.ms', value: '6000', source: SOURCE_GROUP },
      { name: 'group.consumer.heartbeat.interval.ms', value: '5000', source: SOURCE_DEFAULT },
    ],
  });
  const list = defaults<ListConfigResourcesRequest>(ListConfigResourcesRequest, { resourceTypes: [GROUP] });
  const listed = await client.request(ListConfigResourcesRequest, ListConfigResourcesResponse, 1, list);
  expect(listed.configResources).toMatchObject([{ resourceName: 'g', resourceType: GROUP }]);
  expect(await alter('g', { 'consumer.heartbeat.interval.ms': null })).toBe(Errors.NONE);
  expect(await intervalOf('g')).toBe(5000);
});

it('settings that can have no effect are refused', async () => {
  expect(await alter('g', { 'consumer.heartbeat.interval.ms': '4999' })).toBe(Errors.INVALID_CONFIG);
  expect(await alter('g', { 'consumer.session.timeout.ms': '60001' })).toBe(Errors.INVALID_CONFIG);
  expect(await alter('g', { 'consumer.session.timeout.ms': 'long' })).toBe(Errors.INVALID_CONFIG);
  expect(await alter('g', { 'share.session.timeout.ms': '45000' })).toBe(Errors.INVALID_CONFIG);
  expect(await alter('', { 'consumer.session.timeout.ms': '50000' })).toBe(Errors.INVALID_REQUEST);
  expect((await described('')).errorCode).toBe(Errors.INVALID_REQUEST);
});
