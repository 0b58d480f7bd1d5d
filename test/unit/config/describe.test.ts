import { describe, expect, test } from 'vitest';
import { BrokerConfig } from '../../../src/config/broker-config.ts';
import {
  ConfigSource,
  describeBrokerConfig,
  describeClusterConfig,
  describeTopicConfig,
} from '../../../src/config/describe.ts';
import { Properties } from '../../../src/config/properties.ts';

const file = [
  'process.roles=broker,controller',
  'node.id=1',
  'controller.quorum.voters=1@localhost:9093',
  'listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://:9093',
  'controller.listener.names=CONTROLLER',
  'log.retention.minutes=5',
  'log.retention.hours=168',
  'ssl.key.password=hunter2',
  'foo.bar=1',
  'listener.name.plaintext.max.connections=50',
].join('\n');

const broker = BrokerConfig.parse({ properties: Properties.parse(file) }).withDynamic({
  broker: new Map([['message.max.bytes', '2000']]),
  cluster: new Map([
    ['log.cleanup.policy', 'delete,compact'],
    ['message.max.bytes', '3000'],
    ['leader.replication.throttled.rate', '1000'],
  ]),
});
const { TOPIC, DYNAMIC_BROKER, DYNAMIC_DEFAULT_BROKER, STATIC_BROKER, DEFAULT } = ConfigSource;

function one(name: string, options = {}) {
  const [entry] = describeBrokerConfig(broker, { names: [name], includeSynonyms: true, ...options });
  return entry;
}

// The expected entries are what Apache Kafka 4.3.1 answers for the same file and the same changes.
describe('settings of a broker', () => {
  test('a default', () => {
    expect(one('num.partitions')).toEqual({
      name: 'num.partitions',
      value: '1',
      readOnly: true,
      isDefault: true,
      configSource: DEFAULT,
      isSensitive: false,
      synonyms: [{ name: 'num.partitions', value: '1', source: DEFAULT }],
      configType: 3,
      documentation: null,
    });
  });

  test('a value with all that it beats', () => {
    expect(one('message.max.bytes')).toMatchObject({
      value: '2000',
      readOnly: false,
      configSource: DYNAMIC_BROKER,
      synonyms: [
        { name: 'message.max.bytes', value: '2000', source: DYNAMIC_BROKER },
        { name: 'message.max.bytes', value: '3000', source: DYNAMIC_DEFAULT_BROKER },
        { name: 'message.max.bytes', value: '1048588', source: DEFAULT },
      ],
    });
  });

  test('names in other units follow the name that is asked for', () => {
    expect(one('log.retention.minutes')).toMatchObject({
      value: '5',
      synonyms: [
        { name: 'log.retention.minutes', value: '5', source: STATIC_BROKER },
        { name: 'log.retention.hours', value: '168', source: STATIC_BROKER },
        { name: 'log.retention.hours', value: '168', source: DEFAULT },
      ],
    });
    expect(one('log.retention.ms')).toMatchObject({ value: null, configSource: DEFAULT, synonyms: [] });
  });

  test('secrets and what nobody knows are not shown', () => {
    for (const name of ['ssl.key.password', 'foo.bar']) {
      expect(one(name)).toMatchObject({
        value: null,
        isSensitive: true,
        configSource: STATIC_BROKER,
        synonyms: [{ name, value: null, source: STATIC_BROKER }],
      });
    }
    expect(one('foo.bar')?.configType).toBe(0);
    expect(one('ssl.key.password')?.configType).toBe(9);
    expect(JSON.stringify(describeBrokerConfig(broker, { includeSynonyms: true }))).not.toContain('hunter2');
  });

  test('a listener prefix is a synonym of the common name', () => {
    expect(one('listener.name.plaintext.max.connections')).toMatchObject({
      value: '50',
      configType: 3,
      isSensitive: false,
      synonyms: [
        { name: 'listener.name.plaintext.max.connections', value: '50', source: STATIC_BROKER },
        { name: 'max.connections', value: '2147483647', source: DEFAULT },
      ],
    });
  });

  test('numbers print as they were declared', () => {
    expect(one('log.flush.interval.messages')?.value).toBe('9223372036854775807');
    expect(one('log.cleaner.io.max.bytes.per.second')?.value).toBe('1.7976931348623157E308');
    expect(one('listeners')?.value).toBe('PLAINTEXT://127.0.0.1:9092,CONTROLLER://:9093');
  });

  test('all of them: sorted, internal ones left out, documentation where it is asked for', () => {
    const all = describeBrokerConfig(broker, { includeDocumentation: true });
    const names = all.map(({ name }) => name);
    expect(names).toEqual([...names].sort());
    expect(names.length).toBeGreaterThan(330);
    expect(names).not.toContain('log.initial.task.delay.ms');
    expect(names).toContain('broker.id');
    expect(all.find(({ name }) => name === 'broker.id')).toMatchObject({
      value: '1',
      configSource: STATIC_BROKER,
    });
    expect(all.filter(({ documentation }) => documentation === null).map(({ name }) => name)).toEqual([
      'foo.bar',
      'listener.name.plaintext.max.connections',
    ]);
    expect(all.every(({ synonyms }) => synonyms.length === 0)).toBe(true);
  });

  test('those of all brokers are the dynamic ones alone', () => {
    expect(describeClusterConfig(broker, { includeSynonyms: true })).toMatchObject([
      {
        name: 'leader.replication.throttled.rate',
        value: '1000',
        configSource: DYNAMIC_DEFAULT_BROKER,
        readOnly: false,
      },
      { name: 'log.cleanup.policy', value: 'delete,compact' },
      {
        name: 'message.max.bytes',
        value: '3000',
        synonyms: [{ name: 'message.max.bytes', value: '3000', source: DYNAMIC_DEFAULT_BROKER }],
      },
    ]);
  });

  test('a profile counts as a default', () => {
    const [entry] = describeBrokerConfig(BrokerConfig.parse(), {
      names: ['group.initial.rebalance.delay.ms'],
    });
    expect(entry).toMatchObject({ value: '0', configSource: DEFAULT });
  });
});

describe('settings of a topic', () => {
  const entries = describeTopicConfig(new Map([['segment.ms', '1000']]), broker, { includeSynonyms: true });
  const entry = (name: string) => entries.find((one) => one.name === name);

  test('its own', () => {
    expect(entry('segment.ms')).toMatchObject({
      value: '1000',
      configSource: TOPIC,
      readOnly: false,
      isDefault: false,
      synonyms: [{ name: 'segment.ms', value: '1000', source: TOPIC }],
    });
  });

  test('what it takes from the broker', () => {
    expect(entry('max.message.bytes')).toMatchObject({
      value: '2000',
      configSource: DYNAMIC_BROKER,
      synonyms: [{ name: 'message.max.bytes', value: '2000' }, { value: '3000' }, { value: '1048588' }],
    });
    expect(entry('cleanup.policy')).toMatchObject({
      value: 'delete,compact',
      configSource: DYNAMIC_DEFAULT_BROKER,
    });
    expect(entry('retention.ms')).toMatchObject({ value: '300000', configSource: DEFAULT, synonyms: [] });
    expect(entry('flush.ms')).toMatchObject({
      value: '9223372036854775807',
      configSource: DEFAULT,
      synonyms: [],
    });
    expect(entry('remote.storage.enable')).toMatchObject({
      value: 'false',
      configSource: DEFAULT,
      synonyms: [],
    });
  });

  test('all of them, or those that are asked for', () => {
    expect(entries.map(({ name }) => name)).not.toContain('internal.segment.bytes');
    expect(entries).toHaveLength(37);
    const some = describeTopicConfig(new Map(), broker, { names: ['retention.ms', 'nope'] });
    expect(some.map(({ name }) => name)).toEqual(['retention.ms']);
    expect(describeTopicConfig(new Map(), broker, { names: [] })).toHaveLength(37);
  });
});
