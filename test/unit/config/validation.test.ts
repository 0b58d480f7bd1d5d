import { describe, expect, test } from 'vitest';
import { BrokerConfig } from '../../../src/config/broker-config.ts';
import { InvalidConfigError } from '../../../src/config/config-error.ts';
import {
  applyBrokerConfigChanges,
  ConfigOperation,
  isListSetting,
  validateBrokerConfigs,
  validateTopicConfigs,
} from '../../../src/config/validation.ts';

const broker = BrokerConfig.parse({ profile: 'kafka', overrides: { 'broker.id': '1' } });
const { SET, DELETE, APPEND, SUBTRACT } = ConfigOperation;

/** What a client would be answered: `ok`, or the name of the error code with the message. */
function answer(run: () => unknown): string {
  try {
    run();
    return 'ok';
  } catch (error) {
    if (error instanceof InvalidConfigError) return `${error.errorName}: ${error.message}`;
    throw error;
  }
}

const invalid = (value: string, name: string, problem: string) =>
  `INVALID_CONFIG: Invalid value ${value} for configuration ${name}: ${problem}`;

// The answers are those of Apache Kafka 4.3.1.
describe('settings of a topic', () => {
  test.each<[string, string | null, string]>([
    ['retention.ms', '1000', 'ok'],
    ['retention.ms', ' 5 ', 'ok'],
    ['retention.ms', 'foo', invalid('foo', 'retention.ms', 'Not a number of type LONG')],
    ['retention.ms', '', invalid('', 'retention.ms', 'Not a number of type LONG')],
    [
      'retention.ms',
      '9223372036854775808',
      invalid('9223372036854775808', 'retention.ms', 'Not a number of type LONG'),
    ],
    ['retention.ms', '-2', invalid('-2', 'retention.ms', 'Value must be at least -1')],
    ['nope', '1', 'INVALID_CONFIG: Unknown topic config name: nope'],
    ['segment.bytes', '10', invalid('10', 'segment.bytes', 'Value must be at least 1048576')],
    ['cleanup.policy', 'x', invalid('x', 'cleanup.policy', 'String must be one of: compact, delete')],
    ['cleanup.policy', 'delete,delete', 'ok'],
    ['cleanup.policy', '', 'ok'],
    ['cleanup.policy', 'delete,', "INVALID_CONFIG: Configuration 'cleanup.policy' values must not be empty."],
    [
      'min.cleanable.dirty.ratio',
      '2',
      invalid('2.0', 'min.cleanable.dirty.ratio', 'Value must be no more than 1'),
    ],
    [
      'min.cleanable.dirty.ratio',
      'x',
      invalid('x', 'min.cleanable.dirty.ratio', 'Not a number of type DOUBLE'),
    ],
    [
      'compression.type',
      'x',
      invalid(
        'x',
        'compression.type',
        'String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer',
      ),
    ],
    ['preallocate', 'yes', invalid('yes', 'preallocate', 'Expected value to be either true or false')],
    ['preallocate', 'TRUE', 'ok'],
    ['leader.replication.throttled.replicas', '*', 'ok'],
    ['leader.replication.throttled.replicas', '0:1,1:2', 'ok'],
    [
      'leader.replication.throttled.replicas',
      'a:b',
      invalid(
        '[a:b]',
        'leader.replication.throttled.replicas',
        "leader.replication.throttled.replicas must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...",
      ),
    ],
    ['max.compaction.lag.ms', '0', invalid('0', 'max.compaction.lag.ms', 'Value must be at least 1')],
    [
      'remote.storage.enable',
      'true',
      'INVALID_CONFIG: Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.',
    ],
    [
      'compression.gzip.level',
      '0',
      invalid('0', 'compression.gzip.level', 'Value must be between 1 and 9 or equal to -1'),
    ],
    ['flush.ms', '+7', 'ok'],
    [
      'max.message.bytes',
      '2147483648',
      invalid('2147483648', 'max.message.bytes', 'Not a number of type INT'),
    ],
    [
      'message.timestamp.type',
      'logappendtime',
      invalid('logappendtime', 'message.timestamp.type', 'String must be one of: CreateTime, LogAppendTime'),
    ],
    ['retention.ms', null, 'INVALID_CONFIG: Null value not supported for topic configs: retention.ms'],
  ])('%s=%s: %s', (name, value, expected) => {
    expect(answer(() => validateTopicConfigs(new Map([[name, value]]), broker))).toBe(expected);
  });

  test('that exclude each other', () => {
    const configs = new Map([
      ['min.compaction.lag.ms', '10'],
      ['max.compaction.lag.ms', '5'],
    ]);
    expect(answer(() => validateTopicConfigs(configs, broker))).toBe(
      'INVALID_CONFIG: conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)',
    );
  });

  test('tiny segments under the profile dev', () => {
    const configs = new Map([['segment.bytes', '14']]);
    expect(answer(() => validateTopicConfigs(configs, BrokerConfig.parse()))).toBe('ok');
  });
});

describe('settings of a broker', () => {
  const request = (text: string) => `INVALID_REQUEST: ${text}`;
  const readOnly = (name: string) => request(`Cannot update these configs dynamically: [${name}]`);
  const wrong = (value: string, name: string, problem: string) =>
    request(`Invalid value ${value} for configuration ${name}: ${problem}`);

  test.each<[string, string, string, string?]>([
    ['message.max.bytes', '2000', 'ok'],
    ['node.id', '5', readOnly('node.id')],
    ['num.partitions', '5', readOnly('num.partitions')],
    ['nope', '1', 'ok'],
    ['leader.replication.throttled.rate', '1000', 'ok'],
    ['log.retention.ms', 'foo', wrong('foo', 'log.retention.ms', 'Not a number of type LONG')],
    [
      'log.retention.ms',
      '0',
      request('requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1'),
    ],
    [
      'max.connections.per.ip',
      '0',
      request(
        'requirement failed: max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set.',
      ),
    ],
    ['message.max.bytes', '-1', wrong('-1', 'message.max.bytes', 'Value must be at least 0')],
    ['log.segment.bytes', '100', wrong('100', 'log.segment.bytes', 'Value must be at least 1048576')],
    ['max.connections', 'x', wrong('x', 'max.connections', 'Not a number of type INT')],
    [
      'listeners',
      'x',
      request("Error creating broker listeners from '[x]': Unable to parse x to a broker endpoint"),
      request(
        'Cannot update these configs at default cluster level, broker id must be specified: [listeners]',
      ),
    ],
    [
      'ssl.keystore.type',
      'JKS',
      request(
        'These security configs can be dynamically updated only per-listener using the listener prefix: [ssl.keystore.type]',
      ),
    ],
    [
      'listener.name.plaintext.ssl.keystore.type',
      'PEM',
      'ok',
      request(
        'Cannot update these configs at default cluster level, broker id must be specified: [listener.name.plaintext.ssl.keystore.type]',
      ),
    ],
    ['listener.name.plaintext.max.connections', '5', 'ok'],
    [
      'num.io.threads',
      '100',
      request(
        'Dynamic thread count update validation failed for num.io.threads=100, value should not be greater than double the current value 8',
      ),
    ],
    [
      'num.io.threads',
      '1',
      request(
        'Dynamic thread count update validation failed for num.io.threads=1, value should be at least half the current value 8',
      ),
    ],
    ['num.io.threads', '16', 'ok'],
    [
      'remote.log.reader.threads',
      '21',
      request(
        'Dynamic thread count update validation failed for remote.log.reader.threads=21, value should not be greater than double the current value 10',
      ),
    ],
    [
      'num.network.threads',
      '7',
      request(
        'Dynamic thread count update validation failed for num.network.threads=7, value should not be greater than double the current value 3',
      ),
    ],
    [
      'log.cleaner.threads',
      '3',
      request('Log cleaner threads cannot be increased to more than double the current value 1'),
    ],
    [
      'log.local.retention.ms',
      '604800001',
      request(
        'Invalid value 604800001 for configuration log.local.retention.ms: Value must not be more than log.retention.ms property value: 604800000',
      ),
    ],
    [
      'log.local.retention.ms',
      '-1',
      request(
        'Invalid value -1 for configuration log.local.retention.ms: Value must not be -1 as log.retention.ms value is set as 604800000.',
      ),
    ],
    ['log.local.retention.bytes', '9223372036854775807', 'ok'],
    [
      'log.remote.copy.lag.ms',
      '604800001',
      request(
        'Invalid value 604800001 for configuration log.remote.copy.lag.ms: Value must not exceed log.local.retention.ms (effective value: 604800000)',
      ),
    ],
    ['metric.reporters', 'org.apache.kafka.common.metrics.JmxReporter', 'ok'],
    [
      'principal.builder.class',
      'x.Y',
      request('Invalid value x.Y for configuration principal.builder.class: Class x.Y could not be found.'),
    ],
  ])('%s=%s: %s', (name, value, ofBroker, ofCluster = ofBroker) => {
    const configs = new Map([[name, value]]);
    expect(answer(() => validateBrokerConfigs(configs, 'broker', broker))).toBe(ofBroker);
    expect(answer(() => validateBrokerConfigs(configs, 'cluster', broker))).toBe(ofCluster);
  });

  test('listeners change by the file alone', () => {
    const same = new Map([['listeners', broker.parsed('listeners').text ?? '']]);
    expect(answer(() => validateBrokerConfigs(same, 'broker', broker))).toBe('ok');
    const other = new Map([['listeners', 'PLAINTEXT://:9999']]);
    expect(answer(() => validateBrokerConfigs(other, 'broker', broker))).toMatch(
      /^INVALID_REQUEST: .*opens its listeners only at start/,
    );
  });

  test('changes set, remove, append to and subtract from what there is', () => {
    const current = new Map([
      ['log.cleanup.policy', 'delete'],
      ['message.max.bytes', '5'],
    ]);
    const apply = (name: string, operation: number, value: string | null) =>
      Object.fromEntries(applyBrokerConfigChanges(current, [{ name, operation, value }]));
    expect(apply('message.max.bytes', SET, '7')).toMatchObject({ 'message.max.bytes': '7' });
    expect(apply('message.max.bytes', DELETE, null)).toEqual({ 'log.cleanup.policy': 'delete' });
    expect(apply('log.cleanup.policy', APPEND, 'compact,delete')['log.cleanup.policy']).toBe(
      'delete,compact',
    );
    expect(apply('log.cleanup.policy', SUBTRACT, 'delete')['log.cleanup.policy']).toBe('');
    expect(apply('sasl.enabled.mechanisms', APPEND, 'PLAIN')['sasl.enabled.mechanisms']).toBe('GSSAPI,PLAIN');
    expect(current.get('message.max.bytes')).toBe('5');
  });

  test('lists alone can be appended to', () => {
    const change = (name: string, operation: number) => () =>
      applyBrokerConfigChanges(new Map(), [{ name, operation, value: '1' }]);
    expect(answer(change('nope', APPEND))).toBe('INVALID_CONFIG: Unknown config name: nope');
    expect(answer(change('message.max.bytes', APPEND))).toBe(
      'INVALID_CONFIG: Config value append is not allowed for config key: message.max.bytes',
    );
    expect(answer(change('message.max.bytes', SUBTRACT))).toBe(
      'INVALID_CONFIG: Config value subtract is not allowed for config key: message.max.bytes',
    );
    expect(answer(change('message.max.bytes', 9))).toBe('INVALID_REQUEST: Unknown operations type 9');
    expect(isListSetting('topic', 'cleanup.policy')).toBe(true);
    expect(isListSetting('topic', 'retention.ms')).toBe(false);
    expect(isListSetting('broker', 'nope')).toBe(false);
  });
});
