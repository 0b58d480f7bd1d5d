import { describe, expect, test } from 'vitest';
import { isIpv4, isIpv6, isWildcard, parseHostAndPort } from '../../../src/config/addresses.ts';
import { BrokerConfig } from '../../../src/config/broker-config.ts';
import { Properties } from '../../../src/config/properties.ts';

const defaults: Record<string, string> = {
  'process.roles': 'broker,controller',
  'node.id': '1',
  'controller.quorum.voters': '1@localhost:9093',
  'controller.listener.names': 'CONTROLLER',
  listeners: 'PLAINTEXT://:9092,CONTROLLER://:9093',
};

/** A file with these settings; undefined takes one of the usual ones away. */
function parse(settings: Record<string, string | undefined>, hostName = 'box') {
  const all = Object.entries({ ...defaults, ...settings }).filter(([, value]) => value !== undefined);
  const text = all.map(([key, value]) => `${key}=${value}`).join('\n');
  return BrokerConfig.parse({ properties: Properties.parse(text, 's.properties'), hostName });
}

const listenersOf = (settings: Record<string, string | undefined>) => parse(settings).listeners;

describe('listeners', () => {
  test('without a host listen everywhere and advertise the name of the machine', () => {
    expect(listenersOf({})).toEqual([
      {
        name: 'PLAINTEXT',
        host: undefined,
        port: 9092,
        protocol: 'PLAINTEXT',
        controller: false,
        interBroker: true,
        advertised: { host: 'box', port: 9092 },
      },
      {
        name: 'CONTROLLER',
        host: undefined,
        port: 9093,
        protocol: 'PLAINTEXT',
        controller: true,
        interBroker: false,
        advertised: undefined,
      },
    ]);
  });

  test('of two kinds, as containers have them', () => {
    const listeners = listenersOf({
      listeners: 'INTERNAL://0.0.0.0:29092,external://:9092,CONTROLLER://0.0.0.0:9093',
      'advertised.listeners': 'INTERNAL://broker:29092,EXTERNAL://localhost:19092',
      'listener.security.protocol.map': 'INTERNAL:PLAINTEXT,EXTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT',
      'inter.broker.listener.name': 'INTERNAL',
    });
    expect(listeners).toMatchObject([
      { name: 'INTERNAL', host: '0.0.0.0', interBroker: true, advertised: { host: 'broker', port: 29092 } },
      {
        name: 'EXTERNAL',
        host: undefined,
        interBroker: false,
        advertised: { host: 'localhost', port: 19092 },
      },
      { name: 'CONTROLLER', controller: true, advertised: undefined },
    ]);
  });

  test('one that is not advertised is not shown', () => {
    const listeners = listenersOf({
      listeners: 'PLAINTEXT://:9092,HIDDEN://:9094,CONTROLLER://:9093',
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,HIDDEN:PLAINTEXT,CONTROLLER:PLAINTEXT',
      'advertised.listeners': 'PLAINTEXT://me:9092',
    });
    expect(listeners[1]).toMatchObject({ name: 'HIDDEN', advertised: undefined });
  });

  test('port 0 may stand several times, and IPv6 in brackets', () => {
    const listeners = listenersOf({ listeners: 'PLAINTEXT://[::1]:0,CONTROLLER://:0' });
    expect(listeners).toMatchObject([
      { host: '::1', port: 0, advertised: { host: '::1', port: 0 } },
      { port: 0 },
    ]);
  });

  test('one port for an IPv4 and an IPv6 address', () => {
    const map = 'A:PLAINTEXT,B:PLAINTEXT,CONTROLLER:PLAINTEXT';
    const both = (a: string, b: string) => ({
      listeners: `A://${a}:9092,B://${b}:9092,CONTROLLER://:9093`,
      'listener.security.protocol.map': map,
      'inter.broker.listener.name': 'A',
    });
    expect(listenersOf(both('127.0.0.1', '[::1]'))).toHaveLength(3);
    expect(() => listenersOf(both('127.0.0.1', '127.0.0.2'))).toThrow(/the port 9092 stands twice/);
    expect(() => listenersOf(both('127.0.0.1', 'localhost'))).toThrow(/the port 9092 stands twice/);
  });

  test.each<[string, Record<string, string | undefined>, RegExp]>([
    [
      'an address without a name',
      { listeners: 'localhost:9092' },
      /listeners=localhost:9092: can't read localhost:9092/,
    ],
    ['a port that is none', { listeners: 'PLAINTEXT://:70000,CONTROLLER://:9093' }, /70000 is no port/],
    [
      'a name that stands twice',
      { listeners: 'PLAINTEXT://:1,PLAINTEXT://:2,CONTROLLER://:3' },
      /PLAINTEXT stands twice/,
    ],
    ['a port that stands twice', { listeners: 'PLAINTEXT://:9092,CONTROLLER://:9092' }, /9092 stands twice/],
    ['no listener at all', { listeners: '' }, /listeners= is not valid/],
    [
      'a name without a protocol',
      { listeners: 'FOO://:9092,CONTROLLER://:9093' },
      /FOO .* no security protocol; add FOO:PLAINTEXT to listener\.security\.protocol\.map/,
    ],
    [
      'an unknown protocol',
      { 'listener.security.protocol.map': 'PLAINTEXT:PLAIN,CONTROLLER:PLAINTEXT' },
      /there is no security protocol PLAIN\. Allowed: .*SASL_SSL/,
    ],
    [
      'an advertised name that does not listen',
      { 'advertised.listeners': 'PLAINTEXT://me:1,SSL://me:2' },
      /the listener SSL does not stand in listeners/,
    ],
    [
      'an advertised address for all addresses',
      { 'advertised.listeners': 'PLAINTEXT://0.0.0.0:9092' },
      /clients can't connect to 0\.0\.0\.0/,
    ],
    [
      'a bound address for all addresses that would be advertised',
      { listeners: 'PLAINTEXT://0.0.0.0:9092,CONTROLLER://:9093' },
      /advertised\.listeners with an address that clients reach, such as PLAINTEXT:\/\/localhost:9092/,
    ],
    [
      'a controller that does not listen',
      { 'controller.listener.names': 'CTRL', listeners: 'PLAINTEXT://:9092' },
      /controller\.listener\.names=CTRL: no listener of that name stands in listeners/,
    ],
    [
      'no controller listener',
      { 'controller.listener.names': undefined },
      /controller\.listener\.names is missing/,
    ],
    [
      'nothing left for clients',
      { listeners: 'CONTROLLER://:9093', 'advertised.listeners': undefined },
      /no listener is left for clients/,
    ],
    ['brokers on an unknown listener', { 'inter.broker.listener.name': 'X' }, /X .*no security protocol/],
    [
      'two ways to name the listener of brokers',
      { 'inter.broker.listener.name': 'PLAINTEXT', 'security.inter.broker.protocol': 'PLAINTEXT' },
      /only one of the two/,
    ],
    [
      'no listener of the protocol between brokers',
      { 'security.inter.broker.protocol': 'SSL' },
      /security\.inter\.broker\.protocol.*no advertised listener has that name/,
    ],
  ])('%s is refused', (_, settings, problem) => {
    expect(() => listenersOf(settings)).toThrow(problem);
  });

  test.each(['SSL', 'SASL_PLAINTEXT', 'SASL_SSL'])('%s is refused by name until it is served', (protocol) => {
    const settings = {
      listeners: `${protocol}://:9092,CONTROLLER://:9093`,
      'listener.security.protocol.map': `${protocol}:${protocol},CONTROLLER:PLAINTEXT`,
      'inter.broker.listener.name': protocol,
    };
    expect(() => listenersOf(settings)).toThrow(
      new RegExp(`the listener ${protocol} asks for ${protocol}, which this version does not serve yet`),
    );
  });

  test('the error names file and line', () => {
    expect(() => listenersOf({ listeners: 'x' })).toThrow(/^s\.properties:5: /);
  });

  test('dev listens on this machine, advertises what can be reached and needs no controller listener', () => {
    const config = BrokerConfig.parse({ overrides: { listeners: 'PLAINTEXT://0.0.0.0:0' } });
    expect(config.listeners).toMatchObject([{ host: '0.0.0.0', advertised: { host: 'localhost', port: 0 } }]);
  });
});

describe('quorum', () => {
  test.each<[string, Record<string, string | undefined>, RegExp]>([
    [
      'three voters',
      { 'controller.quorum.voters': '1@a:1,2@b:1,3@c:1' },
      /more than one voter.* this node alone: 1@a:1/,
    ],
    ['another voter', { 'controller.quorum.voters': '2@a:1' }, /node\.id 1 is not among the voters/],
    [
      'a voter without an id',
      { 'controller.quorum.voters': 'a:1' },
      /can't read a:1\. Allowed: entries id@host:port/,
    ],
    [
      'a broker alone',
      { 'process.roles': 'broker' },
      /only together with its own controller\. Allowed: broker,controller/,
    ],
    ['a controller alone', { 'process.roles': 'controller' }, /only together/],
    ['an unknown role', { 'process.roles': 'broker,worker' }, /process\.roles=broker,worker is not valid/],
    [
      'no voter at all',
      { 'controller.quorum.voters': undefined },
      /either controller\.quorum\.bootstrap\.servers or/,
    ],
    [
      'a bootstrap server elsewhere',
      { 'controller.quorum.voters': undefined, 'controller.quorum.bootstrap.servers': 'other:9093' },
      /other:9093 is not this node's own controller listener.*controller\.quorum\.voters=1@other:9093/,
    ],
    [
      'several bootstrap servers',
      {
        'controller.quorum.voters': undefined,
        'controller.quorum.bootstrap.servers': 'localhost:9093,b:9093',
      },
      /b:9093 is not this node's own/,
    ],
    ['no id', { 'node.id': undefined }, /node\.id is missing/],
    ['a negative id', { 'node.id': '-2' }, /node\.id=-2 is not valid/],
  ])('%s is refused', (_, settings, problem) => {
    expect(() => parse(settings)).toThrow(problem);
  });

  test.each(['localhost:9093', '127.0.0.1:9093', '[::1]:9093', 'box:9093', 'public:9093'])(
    'the bootstrap server %s is this node',
    (server) => {
      const config = parse({
        'controller.quorum.voters': undefined,
        'controller.quorum.bootstrap.servers': server,
        'advertised.listeners': 'PLAINTEXT://public:9092',
      });
      expect(config.nodeId).toBe(1);
    },
  );

  test('a voter may have any address, and stand twice', () => {
    expect(parse({ 'controller.quorum.voters': '1@kafka:9093' }).nodeId).toBe(1);
    expect(parse({ 'controller.quorum.voters': '1@0.0.0.0:9093' }).nodeId).toBe(1);
  });
});

describe('addresses', () => {
  test.each([
    ['a:1', { host: 'a', port: 1 }],
    ['[::1]:9', { host: '::1', port: 9 }],
    ['PLAINTEXT://h:2', { host: 'h', port: 2 }],
    ['a', undefined],
    ['a:', undefined],
    [':1', undefined],
    ['a:65536', undefined],
    ['a b:1', undefined],
  ])('%s', (text, expected) => {
    expect(parseHostAndPort(text)).toEqual(expected);
  });

  test('versions and wildcards', () => {
    expect(['1.2.3.4', '::1', 'fe80::1%eth0', '::ffff:1.2.3.4', '1:2:3:4:5:6:7:8'].map(isIpv6)).toEqual([
      false,
      true,
      true,
      true,
      true,
    ]);
    expect(['1:2', ':::', '1::2::3', '1:2:3:4:5:6:7:8:9', 'g::'].map(isIpv6)).toEqual([
      false,
      false,
      false,
      false,
      false,
    ]);
    expect(['1.2.3.4', '256.1.1.1', '1.2.3', 'a.b.c.d'].map(isIpv4)).toEqual([true, false, false, false]);
    expect([undefined, '0.0.0.0', '::', '0:0:0:0:0:0:0:0', '::1', 'h'].map(isWildcard)).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
    ]);
  });
});
