import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} from 'kafkajs';
import { expect } from 'vitest';
import { caughtUp } from './support/caught-up.ts';
import { compareBrokers, type Observations } from './support/compare.ts';
import type { Target } from './support/target.ts';

/** What a call gives, or how it fails. */
async function outcome(call: () => Promise<unknown>): Promise<unknown> {
  try {
    return (await call()) ?? 'done';
  } catch (error) {
    const e = error as Error & { type?: string; errors?: { type?: string; message: string }[] };
    const inner = e.errors?.map((one) => one.type ?? one.message);
    return { error: e.name, type: e.type, message: e.message, inner };
  }
}

async function observe(target: Target): Promise<Observations> {
  const seen: Observations = {};
  const kafka = new Kafka({
    clientId: 'interop',
    brokers: [target.bootstrap],
    logLevel: logLevel.NOTHING,
    retry: { retries: 2, initialRetryTime: 50 },
  });
  const admin = kafka.admin();
  await admin.connect();
  const step = async (name: string, call: () => Promise<unknown>): Promise<void> => {
    const value = await outcome(call);
    seen[name] = JSON.parse(JSON.stringify(value, (key, inner) => (key === 'clusterId' ? '<id>' : inner)));
    // The next one must not see a broker that did not hear yet of what this one changed.
    if (/^(create|alter)/.test(name)) await caughtUp(target.port);
  };
  await admin.createTopics({ topics: [{ topic: 'orders', numPartitions: 1 }], waitForLeaders: false });
  await caughtUp(target.port);
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({ topic: 'orders', messages: ['a', 'b', 'c', 'd'].map((value) => ({ value })) });
  await producer.disconnect();

  const remove = (topic: string, partition: number, offset: string) =>
    admin.deleteTopicRecords({ topic, partitions: [{ partition, offset }] });
  await step('offsets before it', () => admin.fetchTopicOffsets('orders')); // kafkajs must have heard of the leader
  await step('deleteTopicRecords', () => remove('orders', 0, '2'));
  await step('offsets after it', () => admin.fetchTopicOffsets('orders'));
  await step('deleteTopicRecords, beyond the end', () => remove('orders', 0, '9'));
  await step('deleteTopicRecords, unknown topic', () => remove('never-was', 0, '1'));
  await step('deleteTopicRecords, all', () => remove('orders', 0, '-1'));
  await step('offsets after all', () => admin.fetchTopicOffsets('orders'));

  const reassign = (topic: string, partition: number, replicas: number[]) =>
    admin.alterPartitionReassignments({
      topics: [{ topic, partitionAssignment: [{ partition, replicas }] }],
    });
  await step('alterPartitionReassignments, the same', () => reassign('orders', 0, [1]));
  await step('alterPartitionReassignments, unknown broker', () => reassign('orders', 0, [5]));
  await step('alterPartitionReassignments, unknown topic', () => reassign('never-was', 0, [1]));
  await step('listPartitionReassignments', () => admin.listPartitionReassignments({}));
  await step('listPartitionReassignments of a topic', () =>
    admin.listPartitionReassignments({ topics: [{ topic: 'orders', partitions: [0] }] }),
  );

  const more = { numPartitions: 1, configEntries: [{ name: 'min.insync.replicas', value: '2' }] };
  await step('createTopics with more replicas than brokers', () =>
    admin.createTopics({ topics: [{ topic: 'wide', replicationFactor: 2 }], waitForLeaders: false }),
  );
  await step('createTopics with more in sync than replicas', () =>
    admin.createTopics({ topics: [{ topic: 'strict', ...more }], waitForLeaders: false }),
  );
  const strict = kafka.producer({ retry: { retries: 0 } });
  await strict.connect();
  await step('send to it with acks=all', () =>
    strict.send({ topic: 'strict', acks: -1, messages: [{ value: 'a' }] }),
  );
  await strict.disconnect();

  const resource = {
    resourceType: AclResourceTypes.TOPIC,
    resourceName: 'orders',
    resourcePatternType: ResourcePatternTypes.LITERAL,
  };
  const rule = { principal: 'User:ann', host: '*', operation: AclOperationTypes.ALL };
  const allow = { ...rule, permissionType: AclPermissionTypes.ALLOW };
  await step('describeAcls', () => admin.describeAcls({ ...resource, ...allow }));
  await step('createAcls', () => admin.createAcls({ acl: [{ ...resource, ...allow }] }));
  await step('deleteAcls', () => admin.deleteAcls({ filters: [{ ...resource, ...allow }] }));
  await step('describeCluster', () => admin.describeCluster());
  await admin.disconnect();
  return seen;
}

await compareBrokers({
  title: 'kafkajs as an admin',
  missing: undefined,
  observe,
  expectations(seen) {
    expect(seen['offsets after it']).toMatchObject([{ low: '2', high: '4' }]);
    expect(seen['send to it with acks=all']).toMatchObject([{ errorCode: 0, baseOffset: '0' }]);
    expect(seen['describeAcls']).toMatchObject({ type: 'SECURITY_DISABLED' });
    expect(seen['listPartitionReassignments']).toEqual({ topics: [] });
  },
});
