import { expect, expectTypeOf, test } from 'vitest';
import type { Uuid } from '../../../src/base/uuid.ts';
import { defaults } from '../../../src/protocol/codec.ts';
import { DescribeTopicPartitionsRequest } from '../../../src/protocol/messages/describe-topic-partitions.ts';
import type { MetadataRequest } from '../../../src/protocol/messages/metadata.ts';
import type { ProduceRequest } from '../../../src/protocol/messages/produce.ts';
import { BrokerRegistrationChangeRecord } from '../../../src/protocol/metadata-records/broker-registration-change-record.ts';
import {
  array,
  bool,
  type Infer,
  int32,
  int64,
  message,
  offset,
  type Records,
  recordChunks,
  string,
  struct,
  uuid,
} from '../../../src/protocol/schema.ts';

const TopicLookup = message(
  { name: 'TopicLookup', apiKey: 900, versions: [0, 3], flexible: 2 },
  {
    topics: array({ id: uuid.since(1), name: string.nullable(3), partitions: array(int32) }).nullable(),
    includeOffline: bool.since(1).default(true),
    at: struct({ offset, timestamp: int64 }),
    clientHint: string.nullable().tagged(0, 2).default(null),
    records: recordChunks.nullable(),
  },
);

test('the type is exactly what the fields say', () => {
  expectTypeOf<Infer<typeof TopicLookup>>().toEqualTypeOf<{
    topics: readonly { id: Uuid; name: string | null; partitions: readonly number[] }[] | null;
    includeOffline: boolean;
    at: { offset: number; timestamp: bigint };
    clientHint: string | null;
    records: Records | null;
  }>();
  expectTypeOf<MetadataRequest>().toEqualTypeOf<{
    topics: readonly { topicId: Uuid; name: string | null }[] | null;
    allowAutoTopicCreation: boolean;
    includeClusterAuthorizedOperations: boolean;
    includeTopicAuthorizedOperations: boolean;
  }>();
  expectTypeOf<ProduceRequest['topicData'][number]['partitionData'][number]>().toEqualTypeOf<{
    index: number;
    records: Uint8Array | null;
  }>();
});

test('fields that are not given get their default, at any depth', () => {
  expect(defaults(TopicLookup, { topics: [{ name: 'a' }], at: { offset: 5 } })).toEqual({
    topics: [{ id: 'AAAAAAAAAAAAAAAAAAAAAA', name: 'a', partitions: [] }],
    includeOffline: true,
    at: { offset: 5, timestamp: 0n },
    clientHint: null,
    records: null,
  });
  expect(defaults(DescribeTopicPartitionsRequest, {})).toEqual({
    topics: [],
    responsePartitionLimit: 2000,
    cursor: null,
  });
  expect(defaults(BrokerRegistrationChangeRecord, {}).cordonedLogDirs).toBeNull();
});

test('two values of defaults share no array', () => {
  const [one, other] = [defaults(TopicLookup, {}), defaults(TopicLookup, {})];
  expect(one.topics).not.toBe(other.topics);
});
