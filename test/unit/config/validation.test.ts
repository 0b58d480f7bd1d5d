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

const invalid = (value: string, name: string, allowed: string) =>
  `INVALID_CONFIG: ${name}=${value} is not valid. Allowed: ${allowed}.`;

const LONG = 'a whole number of 64 bits';
const POLICIES = 'a list separated by commas, entries of compact, delete';

// The names of the codes are those that Apache Kafka 4.3.1 answers.
describe('settings of a topic', () => {
  test.each<[string, string | null, string]>([
    ['retention.ms', '1000', 'ok'],
    ['retention.ms', ' 5 ', 'ok'],
    ['retention.ms', 'foo', invalid('foo', 'retention.ms', `${LONG}, at least -1`)],
    ['retention.ms', '', invalid('', 'retention.ms', `${LONG}, at least -1`)],
    [
      'retention.ms',
      '9223372036854775808',
      invalid('9223372036854775808', 'retention.ms', `${LONG}, at least -1`),
    ],
    ['retention.ms', '-2', invalid('-2', 'retention.ms', `${LONG}, at least -1`)],
    ['nope', '1', 'INVALID_CONFIG: Topics have no setting nope.'],
    ['segment.bytes', '10', invalid('10', 'segment.bytes', 'a whole number of 32 bits, at least 1048576')],
    ['cleanup.policy', 'x', invalid('x', 'cleanup.policy', POLICIES)],
    ['cleanup.policy', 'delete,delete', 'ok'],
    ['cleanup.policy', '', 'ok'],
    ['cleanup.policy', 'delete,', invalid('delete,', 'cleanup.policy', POLICIES)],
    [
      'min.cleanable.dirty.ratio',
      '2',
      invalid('2', 'min.cleanable.dirty.ratio', 'a number, between 0 and 1'),
    ],
    [
      'min.cleanable.dirty.ratio',
      'x',
      invalid('x', 'min.cleanable.dirty.ratio', 'a number, between 0 and 1'),
    ],
    [
      'compression.type',
      'x',
      invalid('x', 'compression.type', 'a text, one of uncompressed, zstd, lz4, snappy, gzip, producer'),
    ],
    ['preallocate', 'yes', invalid('yes', 'preallocate', 'true or false')],
    ['preallocate', 'TRUE', 'ok'],
    ['leader.replication.throttled.replicas', '*', 'ok'],
    ['leader.replication.throttled.replicas', '0:1,1:2', 'ok'],
    [
      'leader.replication.throttled.replicas',
      'a:b',
      invalid(
        'a:b',
        'leader.replication.throttled.replicas',
        'a list separated by commas, * or a list of partition:broker',
      ),
    ],
    ['max.compaction.lag.ms', '0', invalid('0', 'max.compaction.lag.ms', `${LONG}, at least 1`)],
    [
      'remote.storage.enable',
      'true',
      'INVALID_CONFIG: remote.storage.enable=true: this broker has no remote storage. Allowed: false.',
    ],
    [
      'compression.gzip.level',
      '0',
      invalid('0', 'compression.gzip.level', 'a whole number of 32 bits, between 1 and 9, or -1'),
    ],
    ['flush.ms', '+7', 'ok'],
    [
      'max.message.bytes',
      '2147483648',
      invalid('2147483648', 'max.message.bytes', 'a whole number of 32 bits, at least 0'),
    ],
    [
      'message.timestamp.type',
      'logappendtime',
      invalid('logappendtime', 'message.timestamp.type', 'a text, one of CreateTime, LogAppendTime'),
    ],
    [
      'retention.ms',
      null,
      'INVALID_CONFIG: No value is given for retention.ms: give one, or leave the name out.',
    ],
  ])('%s=%s: %s', (name, value, expected) => {
    expect(answer(() => validateTopicConfigs(new Map([[name, value]]), broker))).toBe(expected);
  });

  test('that exclude each other', () => {
    const configs = new Map([
      ['min.compaction.lag.ms', '10'],
      ['max.compaction.lag.ms', '5'],
    ]);
    expect(answer(() => validateTopicConfigs(configs, broker))).toBe(
      'INVALID_CONFIG: min.compaction.lag.ms=10: it exceeds max.compaction.lag.ms. Allowed: at most 5.',
    );
  });

  test('tiny segments under the profile dev', () => {
    const configs = new Map([['segment.bytes', '14']]);
    expect(answer(() => validateTopicConfigs(configs, BrokerConfig.parse()))).toBe('ok');
  });
});

describe('settings of a broker', () => {
  const request = (text: string) => `INVALID_REQUEST: ${text}`;
  const readOnly = (name: string) =>
    request(`${name}: read at start only; set it in the properties file and start the broker again.`);
  const wrong = (value: string, name: string, allowed: string) =>
    request(`${name}=${value} is not valid. Allowed: ${allowed}.`);
  const perBroker = (name: string) => request(`${name}: each broker has its own; name the broker to change.`);
  const tooMuch = (value: number, name: string, now: number, allowed: string) =>
    request(
      `${name}=${value}: it is ${now} now, and one change may halve or double it. Allowed: ${allowed}.`,
    );

  test.each<[string, string, string, string?]>([
    ['message.max.bytes', '2000', 'ok'],
    ['node.id', '5', readOnly('node.id')],
    ['num.partitions', '5', readOnly('num.partitions')],
    ['nope', '1', 'ok'],
    ['leader.replication.throttled.rate', '1000', 'ok'],
    ['log.retention.ms', 'foo', wrong('foo', 'log.retention.ms', LONG)],
    [
      'log.retention.ms',
      '0',
      request(
        'log.retention.ms=0: nothing would be kept at all. Allowed: at least 1 ms, or -1 for no limit.',
      ),
    ],
    [
      'max.connections.per.ip',
      '0',
      request(
        'max.connections.per.ip=0: nobody could connect. Allowed: at least 1, or 0 with max.connections.per.ip.overrides.',
      ),
    ],
    ['message.max.bytes', '-1', wrong('-1', 'message.max.bytes', 'a whole number of 32 bits, at least 0')],
    [
      'log.segment.bytes',
      '100',
      wrong('100', 'log.segment.bytes', 'a whole number of 32 bits, at least 1048576'),
    ],
    ['max.connections', 'x', wrong('x', 'max.connections', 'a whole number of 32 bits, at least 0')],
    [
      'listeners',
      'x',
      request("listeners=x: can't read x. Allowed: entries name://host:port."),
      perBroker('listeners'),
    ],
    [
      'ssl.keystore.type',
      'JKS',
      request(
        'ssl.keystore.type: a running broker changes it for one listener at a time, as listener.name.<listener>.<setting>.',
      ),
    ],
    [
      'listener.name.plaintext.ssl.keystore.type',
      'PEM',
      'ok',
      perBroker('listener.name.plaintext.ssl.keystore.type'),
    ],
    ['listener.name.plaintext.max.connections', '5', 'ok'],
    ['num.io.threads', '100', tooMuch(100, 'num.io.threads', 8, 'between 4 and 16')],
    ['num.io.threads', '1', tooMuch(1, 'num.io.threads', 8, 'between 4 and 16')],
    ['num.io.threads', '16', 'ok'],
    ['remote.log.reader.threads', '21', tooMuch(21, 'remote.log.reader.threads', 10, 'between 5 and 20')],
    ['num.network.threads', '7', tooMuch(7, 'num.network.threads', 3, 'between 1 and 6')],
    ['log.cleaner.threads', '3', tooMuch(3, 'log.cleaner.threads', 1, 'between 1 and 2')],
    [
      'log.local.retention.ms',
      '604800001',
      request(
        'log.local.retention.ms=604800001: more would stay here than log.retention.ms lets stay at all. ' +
          'Allowed: at most 604800000, or -2 for the same as log.retention.ms.',
      ),
    ],
    [
      'log.local.retention.ms',
      '-1',
      request(
        'log.local.retention.ms=-1: more would stay here than log.retention.ms lets stay at all. ' +
          'Allowed: at most 604800000, or -2 for the same as log.retention.ms.',
      ),
    ],
    ['log.local.retention.bytes', '9223372036854775807', 'ok'],
    [
      'log.remote.copy.lag.ms',
      '604800001',
      request(
        'log.remote.copy.lag.ms=604800001: records would go from here before they are copied. ' +
          'Allowed: at most what log.local.retention.ms comes to, 604800000.',
      ),
    ],
    ['metric.reporters', 'org.apache.kafka.common.metrics.JmxReporter', 'ok'],
    [
      'principal.builder.class',
      'x.Y',
      request(
        'principal.builder.class=x.Y: this broker loads no Java classes. Leave the setting out for the default.',
      ),
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
    expect(answer(change('nope', APPEND))).toBe('INVALID_CONFIG: Brokers have no setting nope.');
    expect(answer(change('message.max.bytes', APPEND))).toBe(
      'INVALID_CONFIG: message.max.bytes: APPEND works on lists only, and this is none. Set it instead.',
    );
    expect(answer(change('message.max.bytes', SUBTRACT))).toBe(
      'INVALID_CONFIG: message.max.bytes: SUBTRACT works on lists only, and this is none. Set it instead.',
    );
    expect(answer(change('message.max.bytes', 9))).toBe(
      'INVALID_REQUEST: message.max.bytes: there is no operation 9, only 0 to 3 (set, delete, append, subtract).',
    );
    expect(isListSetting('topic', 'cleanup.policy')).toBe(true);
    expect(isListSetting('topic', 'retention.ms')).toBe(false);
    expect(isListSetting('broker', 'nope')).toBe(false);
  });
});
