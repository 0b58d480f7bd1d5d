import { describe, expect, test } from 'vitest';
import { BrokerConfig, type BrokerConfigInput } from '../../../src/config/broker-config.ts';
import { ConfigError } from '../../../src/config/config-error.ts';
import { internalTopicSettings } from '../../../src/config/internal-topics.ts';
import { logConfigOf } from '../../../src/config/log-config.ts';
import { Properties } from '../../../src/config/properties.ts';

const minimal = [
  'process.roles=broker,controller',
  'node.id=1',
  'controller.quorum.voters=1@localhost:9093',
  'listeners=PLAINTEXT://:9092,CONTROLLER://:9093',
  'controller.listener.names=CONTROLLER',
].join('\n');

const ofFile = (more = '', input: BrokerConfigInput = {}) =>
  BrokerConfig.parse({ properties: Properties.parse(`${minimal}\n${more}`, 'server.properties'), ...input });
const dev = (overrides: Record<string, string> = {}) => BrokerConfig.parse({ overrides });
const messages = (config: BrokerConfig) => config.notices.map(({ message }) => message);

function errorOf(run: () => unknown): ConfigError {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('values', () => {
  test('come typed, from override, file, profile or default', () => {
    const config = ofFile('num.partitions=3\nlog.retention.ms = 1000 ', {
      overrides: { 'num.partitions': '5' },
    });
    expect(config.get('num.partitions')).toBe(5);
    expect(config.origin('num.partitions')).toEqual({ kind: 'override' });
    expect(config.get('log.retention.ms')).toBe(1000);
    expect(config.origin('log.retention.ms')).toEqual({ kind: 'file', file: 'server.properties', line: 7 });
    expect(config.get('auto.create.topics.enable')).toBe(true);
    expect(config.origin('auto.create.topics.enable')).toEqual({ kind: 'default' });
    expect(config.get('log.cleanup.policy')).toEqual(['delete']);
    expect(config.get('log.cleaner.min.cleanable.ratio')).toBe(0.5);
    expect(config.get('log.retention.minutes')).toBeNull();
  });

  test('the largest long reads as the largest safe number and prints as it was written', () => {
    const config = ofFile('log.flush.interval.messages=9223372036854775807');
    expect(config.get('log.flush.interval.messages')).toBe(Number.MAX_SAFE_INTEGER);
    expect(config.parsed('log.flush.interval.messages').text).toBe('9223372036854775807');
    expect(() => ofFile('log.flush.interval.messages=9223372036854775808')).toThrow(
      /Allowed: a whole number of 64 bits/,
    );
  });

  test('a wrong value names setting, value, what is allowed, file and line', () => {
    const error = errorOf(() => ofFile('\nnum.partitions=many'));
    expect(error.message).toBe(
      'server.properties:7: num.partitions=many is not valid. Allowed: a whole number of 32 bits, at least 1.',
    );
    expect(error).toMatchObject({
      setting: 'num.partitions',
      value: 'many',
      file: 'server.properties',
      line: 7,
    });
  });

  test.each([
    ['num.partitions=0', /num\.partitions=0 is not valid.*at least 1\./],
    ['log.segment.bytes=100', /at least 1048576/],
    ['auto.create.topics.enable=yes', /Allowed: true or false/],
    ['log.cleanup.policy=keep', /log\.cleanup\.policy=keep .*entries of compact, delete/],
    ['log.message.timestamp.type=create', /one of CreateTime, LogAppendTime/],
    ['compression.gzip.level=0', /between 1 and 9, or -1/],
    ['log.cleaner.min.cleanable.ratio=1.5', /ratio=1\.5 .*between 0 and 1/],
    ['num.partitions=', /num\.partitions= is not valid/],
    ['num.partitions=1.0', /a whole number of 32 bits/],
    ['num.partitions=2147483648', /a whole number of 32 bits/],
    ['offsets.topic.replication.factor=32768', /a whole number of 16 bits/],
    ['log.retention.ms=0', /nothing would be kept/],
    ['log.roll.ms=0', /log\.roll\.ms/],
    ['queued.max.request.bytes=1000', /queued\.max\.request\.bytes.*at least socket\.request\.max\.bytes/],
    ['max.connections.per.ip=0', /max\.connections\.per\.ip/],
    ['replica.fetch.wait.max.ms=40000', /replica\.fetch\.wait\.max\.ms/],
    ['log.cleaner.min.compaction.lag.ms=5\nlog.cleaner.max.compaction.lag.ms=4', /exceeds/],
    ['group.min.session.timeout.ms=7000\ngroup.max.session.timeout.ms=6000', /exceeds/],
    ['group.consumer.session.timeout.ms=100', /outside its bounds/],
    ['listener.name.plaintext.max.connections=x', /listener\.name\.plaintext\.max\.connections/],
    ['listener.name.plaintext.ssl.client.auth=x', /one of required, requested, none/],
    [
      'log.flush.interval.ms=9223372036854775808',
      /ms=9223372036854775808 is not valid\. Allowed: a whole number of 64 bits/,
    ],
    ['log.flush.interval.ms=1e3', /a whole number of 64 bits/],
    ['offsets.topic.replication.factor=3.0', /a whole number of 16 bits/],
    ['log.cleaner.io.max.bytes.per.second=fast', /=fast is not valid\. Allowed: a number\./],
    ['log.cleaner.io.max.bytes.per.second=', /second= is not valid/],
    ['group.coordinator.rebalance.protocols=consumer', /always served.*Allowed: a list with classic in it/],
    ['group.consumer.assignors=uniform,,range', /no empty entry/],
    ['group.consumer.assignors=range,a.B', /no assignor a\.B.*Allowed: entries of uniform, range/],
    ['log.dirs=', /at least one, no empty entry/],
    ['sasl.oauthbearer.assertion.algorithm=none', /one of ES256, RS256/],
    ['leader.replication.throttled.rate=-1', /at least 0/],
    ['log.cleaner.threads=0', /log\.cleaner\.threads=0: nothing would be compacted\. Allowed: at least 1/],
  ])('%s is refused', (line, problem) => {
    expect(() => ofFile(line)).toThrow(problem);
    expect(errorOf(() => ofFile(line)).file).toBe('server.properties');
  });

  test('secrets never stand in an error or in a value that is shown', () => {
    const config = ofFile('ssl.key.password=hunter2');
    expect(config.get('ssl.key.password')).toBe('hunter2');
    expect(JSON.stringify(config.notices)).not.toContain('hunter2');
  });

  const reference = (inner: string) => `$\{${inner}}`;

  test('references to config providers are refused, not taken as they stand', () => {
    expect(() => ofFile(`ssl.key.password=${reference('env:PASSWORD')}`)).toThrow(
      /:6: .*config providers are not supported/,
    );
    expect(() => ofFile(`log.dirs=${reference('file:/etc/secret:dir')}`)).toThrow(/log\.dirs/);
  });

  test('classes and secrets take any text, whole longs the largest', () => {
    const config = ofFile(
      'principal.builder.class= x.Y \nssl.key.password= a, b\nlog.flush.interval.ms=9223372036854775807',
    );
    expect(config.get('principal.builder.class')).toBe('x.Y');
    expect(config.get('ssl.key.password')).toBe('a, b');
    expect(config.parsed('log.flush.interval.ms').text).toBe('9223372036854775807');
    expect(
      ofFile('log.flush.interval.messages=9007199254740993').parsed('log.flush.interval.messages').text,
    ).toBe('9007199254740993');
  });

  test('one listener may have its own value', () => {
    const config = ofFile('max.connections=10\nlistener.name.plaintext.max.connections=3');
    expect(config.getForListener('PLAINTEXT', 'max.connections')).toBe(3);
    expect(config.getForListener('CONTROLLER', 'max.connections')).toBe(10);
  });

  test('times in several units: the most exact one counts', () => {
    expect(ofFile('log.retention.hours=1').logRetentionMs).toBe(3_600_000);
    expect(ofFile('log.retention.hours=1\nlog.retention.minutes=2').logRetentionMs).toBe(120_000);
    expect(ofFile('log.retention.minutes=2\nlog.retention.ms=-1').logRetentionMs).toBe(-1);
    expect(ofFile('log.retention.hours=-5').logRetentionMs).toBe(-1);
    expect(ofFile('log.roll.hours=2').logRollMs).toBe(7_200_000);
  });
});

describe('what is said at start', () => {
  test('an unknown name, with the nearest known one and its place', () => {
    expect(messages(ofFile('log.retension.ms=5'))).toEqual([
      'server.properties:6: Unknown setting log.retension.ms is ignored; did you mean log.retention.ms?',
    ]);
    expect(messages(ofFile('listener.name.plaintext.max.conections=5'))[0]).toMatch(
      /did you mean listener\.name\.plaintext\.max\.connections\?/,
    );
    expect(messages(ofFile('something.quite.different=5'))).toEqual([
      'server.properties:6: Unknown setting something.quite.different is ignored',
    ]);
  });

  test('names of other products in silence', () => {
    expect(messages(ofFile('confluent.support.metrics.enable=false'))).toEqual([]);
  });

  test('known settings without effect, once and together, unless they stand at their default', () => {
    expect(messages(ofFile('num.io.threads=8\nlog.preallocate=true\nmetric.reporters=x.Y'))).toEqual([
      'These settings are accepted but change nothing in this version: log.preallocate, metric.reporters',
    ]);
  });

  test('a default in other letters is still the default', () => {
    const text =
      'num.io.threads=+8\nauto.leader.rebalance.enable=TRUE\nssl.enabled.protocols=TLSv1.2 , TLSv1.3';
    expect(messages(ofFile(text))).toEqual([]);
  });

  test('a setting for a listener that is not there, or that no single listener has', () => {
    expect(messages(ofFile('listener.name.external.max.connections=5'))).toEqual([
      'server.properties:6: listener.name.external.max.connections is ignored: there is no listener external among PLAINTEXT, CONTROLLER',
    ]);
    expect(messages(ofFile('listener.name.PLAINTEXT.max.connections=5'))).toEqual([
      'server.properties:6: listener.name.PLAINTEXT.max.connections is ignored: listeners stand in such names in small letters, listener.name.plaintext.max.connections',
    ]);
    expect(messages(ofFile('listener.name.plaintext.num.partitions=5'))).toEqual([
      'server.properties:6: listener.name.plaintext.num.partitions is ignored: num.partitions is not a setting of single listeners',
    ]);
    expect(messages(ofFile('listener.name.plaintext.scram-sha-256.sasl.jaas.config=x'))).toEqual([
      'These settings are accepted but change nothing in this version: listener.name.plaintext.scram-sha-256.sasl.jaas.config',
    ]);
  });

  test('an authorizer that does not guard anything', () => {
    expect(messages(ofFile('authorizer.class.name=x.Y\nsuper.users=User:a'))).toEqual([
      'authorizer.class.name has no effect yet: every client may do everything',
      'These settings are accepted but change nothing in this version: super.users',
    ]);
  });

  test('a setting that stands twice', () => {
    expect(messages(ofFile('num.partitions=1\nnum.partitions=2'))[0]).toMatch(
      /lines 6 and 7; the last one counts/,
    );
  });
});

describe('files of older versions', () => {
  const old = (text: string) =>
    BrokerConfig.parse({ properties: Properties.parse(text, 'old.properties'), hostName: 'box' });

  test('a file for ZooKeeper starts a node that is both broker and controller, and says so', () => {
    const config = old(
      'broker.id=3\nzookeeper.connect=zk:2181\nzookeeper.connection.timeout.ms=1\nlog.dirs=/d',
    );
    expect(config.nodeId).toBe(3);
    expect(config.get('broker.id')).toBe(3);
    expect(config.get('process.roles')).toEqual(['broker', 'controller']);
    expect(config.notices[0]).toMatchObject({ level: 'warn' });
    expect(messages(config)[0]).toMatch(/zookeeper\.connect=zk:2181 is ignored.*cluster of its own/);
    expect(config.listeners).toMatchObject([
      { name: 'PLAINTEXT', port: 9092, advertised: { host: 'box', port: 9092 } },
    ]);
  });

  test('broker.id -1 and none at all mean a number that Kafka would have generated', () => {
    expect(old('zookeeper.connect=zk').nodeId).toBe(0);
    expect(old('broker.id=-1').nodeId).toBe(0);
  });

  test('log.dir is the older name of log.dirs', () => {
    expect(old('log.dir=/a').logDirs).toEqual(['/a']);
    expect(old('log.dir=/a\nlog.dirs=/b, /c').logDirs).toEqual(['/b', '/c']);
    expect(old('log.dirs=/b,/c').metadataLogDir).toBe('/b');
    expect(old('log.dirs=/b,/c\nmetadata.log.dir=/m').metadataLogDir).toBe('/m');
  });

  test('node.id and broker.id must agree', () => {
    expect(() => old('node.id=1\nbroker.id=2')).toThrow(/old\.properties:2: .*name the same thing/);
    expect(old('node.id=2\nbroker.id=2').nodeId).toBe(2);
  });

  test('names that are gone are answered with those that took their place', () => {
    expect(messages(old('port=9192\nadvertised.host.name=h\ninter.broker.protocol.version=2.8'))).toEqual([
      'port is ignored, Kafka no longer reads it: name the port in listeners, such as listeners=PLAINTEXT://:9192',
      'advertised.host.name is ignored, Kafka no longer reads it: name the host in advertised.listeners, such as advertised.listeners=PLAINTEXT://h:9092',
      'inter.broker.protocol.version is ignored, Kafka no longer reads it',
    ]);
  });
});

describe('profiles', () => {
  test('no file means dev: groups start at once, segments may be tiny', () => {
    const config = dev({ 'log.segment.bytes': '1024' });
    expect(config.profile).toBe('dev');
    expect(config.get('group.initial.rebalance.delay.ms')).toBe(0);
    expect(config.get('group.min.session.timeout.ms')).toBe(1);
    expect(config.get('log.segment.bytes')).toBe(1024);
    expect(config.nodeId).toBe(1);
    expect(config.origin('group.initial.rebalance.delay.ms')).toEqual({ kind: 'profile' });
    expect(messages(config)).toEqual([]);
  });

  test('a file means kafka, unless the profile is named', () => {
    expect(ofFile().get('group.initial.rebalance.delay.ms')).toBe(3000);
    expect(ofFile('', { profile: 'dev' }).get('group.initial.rebalance.delay.ms')).toBe(0);
    expect(() => ofFile('log.segment.bytes=1024')).toThrow(/at least 1048576/);
    expect(ofFile('log.segment.bytes=1024', { profile: 'dev' }).get('log.segment.bytes')).toBe(1024);
  });

  test('internal topics get no more replicas than there are brokers, and it is said', () => {
    const alone = internalTopicSettings('__transaction_state', ofFile(), 1);
    expect(alone.replicationFactor).toBe(1);
    expect(alone.configs.get('min.insync.replicas')).toBe('1');
    expect(alone.lowered).toMatch(
      /transaction\.state\.log\.replication\.factor=3.*transaction\.state\.log\.min\.isr=2/,
    );
    expect(internalTopicSettings('__transaction_state', dev(), 2).replicationFactor).toBe(2);
    expect(internalTopicSettings('__transaction_state', ofFile(), 2).replicationFactor).toBe(3);
    const offsets = internalTopicSettings('__consumer_offsets', dev({ 'min.insync.replicas': '2' }), 1);
    expect(offsets).toMatchObject({ partitions: 50, replicationFactor: 1 });
    expect(offsets.configs.get('min.insync.replicas')).toBe('1');
    expect(internalTopicSettings('__consumer_offsets', dev(), 3).lowered).toBeUndefined();
  });
});

describe('command line shortcuts', () => {
  test('a port replaces that of the first listener for clients and of what it advertises', () => {
    const config = ofFile('advertised.listeners=PLAINTEXT://me:9092', { port: 7000 });
    expect(config.listeners).toMatchObject([
      { name: 'PLAINTEXT', port: 7000, advertised: { host: 'me', port: 7000 } },
      { name: 'CONTROLLER', port: 9093, controller: true },
    ]);
    expect(BrokerConfig.parse({ port: 0 }).listeners).toMatchObject([{ host: 'localhost', port: 0 }]);
  });

  test('a mapped port stays advertised', () => {
    const config = ofFile('advertised.listeners=PLAINTEXT://me:19092', { port: 7000 });
    expect(config.listeners[0]?.advertised).toEqual({ host: 'me', port: 19092 });
  });

  test('a data directory replaces all directories', () => {
    const config = ofFile('log.dirs=/a,/b\nmetadata.log.dir=/m', { dataDir: '/d' });
    expect(config.logDirs).toEqual(['/d']);
    expect(config.metadataLogDir).toBe('/d');
  });
});

describe('dynamic settings', () => {
  const config = ofFile('message.max.bytes=1000\nlog.retention.ms=5000');

  test('beat the file, those of the broker beat those of all brokers', () => {
    const changed = config.withDynamic({
      broker: new Map([['message.max.bytes', '3000']]),
      cluster: new Map([
        ['message.max.bytes', '2000'],
        ['log.retention.ms', '7000'],
      ]),
    });
    expect(changed.get('message.max.bytes')).toBe(3000);
    expect(logConfigOf(changed, new Map()).retentionMs).toBe(7000);
    expect(config.get('message.max.bytes')).toBe(1000);
    expect(changed.withDynamic({ broker: new Map(), cluster: new Map() }).get('message.max.bytes')).toBe(
      1000,
    );
  });

  test('that are unreadable or for the start only are passed over, unknown ones kept', () => {
    const cluster = new Map([
      ['message.max.bytes', 'many'],
      ['num.partitions', '9'],
      ['unknown.name', '1'],
    ]);
    const changed = config.withDynamic({ broker: new Map(), cluster });
    expect(changed.get('message.max.bytes')).toBe(1000);
    expect(changed.get('num.partitions')).toBe(1);
    expect([...changed.dynamic.cluster.keys()]).toEqual(['unknown.name']);
    expect(changed.ignoredDynamic).toEqual(['message.max.bytes', 'num.partitions']);
  });

  test('count for one broker or for all, as Kafka has it', () => {
    const both = new Map([
      ['listener.name.plaintext.max.connections', '5'],
      ['listener.name.plaintext.ssl.keystore.type', 'PEM'],
      ['ssl.keystore.type', 'PEM'],
      ['sasl.enabled.mechanisms', 'PLAIN'],
      ['listeners', 'PLAINTEXT://:1'],
    ]);
    const changed = config.withDynamic({ broker: both, cluster: both });
    expect([...changed.dynamic.broker.keys()]).toEqual([
      'listener.name.plaintext.max.connections',
      'listener.name.plaintext.ssl.keystore.type',
      'sasl.enabled.mechanisms',
    ]);
    expect([...changed.dynamic.cluster.keys()]).toEqual(['listener.name.plaintext.max.connections']);
    expect(changed.getForListener('PLAINTEXT', 'max.connections')).toBe(5);
    expect(changed.listeners.map(({ port }) => port)).toEqual([9092, 9093]);
  });

  test('in one unit outdo the file in all units', () => {
    const hours = ofFile('log.retention.minutes=5\nlog.retention.hours=1');
    const changed = hours.withDynamic({ broker: new Map(), cluster: new Map([['log.retention.ms', '77']]) });
    expect(changed.logRetentionMs).toBe(77);
    expect(changed.parsed('log.retention.minutes').text).toBeNull();
    expect(hours.logRetentionMs).toBe(300_000);
  });
});

describe('settings of a log', () => {
  test('are those of the topic, else those of the broker', () => {
    const log = logConfigOf(
      ofFile(
        'log.retention.hours=2\nlog.roll.ms=9\nmin.insync.replicas=2\nlog.flush.scheduler.interval.ms=77',
      ),
      new Map([
        ['cleanup.policy', 'compact,delete'],
        ['retention.bytes', '-1'],
        ['max.message.bytes', '5'],
        ['segment.bytes', '2000000'],
      ]),
    );
    expect(log).toMatchObject({
      retentionMs: 7_200_000,
      segmentMs: 9,
      minInsyncReplicas: 2,
      flushMs: 77,
      cleanupPolicy: ['compact', 'delete'],
      retentionBytes: -1,
      maxMessageBytes: 5,
      segmentBytes: 2_000_000,
      flushMessages: Number.MAX_SAFE_INTEGER,
      messageTimestampType: 'CreateTime',
    });
  });

  test('a stored value that can no longer be read counts as not given', () => {
    expect(logConfigOf(ofFile(), new Map([['segment.bytes', '10']])).segmentBytes).toBe(1073741824);
  });

  test('tests may set tiny segments by the internal name', () => {
    expect(logConfigOf(ofFile(), new Map([['internal.segment.bytes', '10']])).segmentBytes).toBe(10);
  });
});
