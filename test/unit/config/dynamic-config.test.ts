import { expect, test } from 'vitest';
import type { Logger } from '../../../src/base/ports.ts';
import { BrokerConfig } from '../../../src/config/broker-config.ts';
import { DynamicConfig } from '../../../src/config/dynamic-config.ts';

function world(overrides: Record<string, string> = {}) {
  const said: string[] = [];
  const note = (level: string) => (text: string) => {
    said.push(`${level}: ${text}`);
  };
  const logger: Logger = {
    debug: note('debug'),
    info: note('info'),
    warn: note('warn'),
    error: note('error'),
    child: () => logger,
  };
  const config = new DynamicConfig(BrokerConfig.parse({ overrides }), logger);
  const update = (cluster: Record<string, string>, broker: Record<string, string> = {}) =>
    config.update({ broker: new Map(Object.entries(broker)), cluster: new Map(Object.entries(cluster)) });
  return { config, said, update };
}

test('who listens hears of changes of its own settings alone', () => {
  const { config, update } = world({ 'max.connections': '10' });
  const heard: [number, number][] = [];
  config.onChange(['max.connections'], (now, before) =>
    heard.push([before.get('max.connections'), now.get('max.connections')]),
  );
  update({ 'message.max.bytes': '5' });
  update({ 'message.max.bytes': '5', 'max.connections': '20' });
  update({ 'message.max.bytes': '5', 'max.connections': '20' });
  update({ 'max.connections': '20' }, { 'max.connections': '30' });
  update({ 'max.connections': '21' }, { 'max.connections': '30' });
  update({});
  expect(heard).toEqual([
    [10, 20],
    [20, 30],
    [30, 10],
  ]);
  expect(config.current.get('max.connections')).toBe(10);
});

test('a setting for one listener is a change of the setting', () => {
  const { config, update } = world();
  let heard = 0;
  config.onChange(['max.connections'], () => {
    heard += 1;
  });
  update({ 'listener.name.plaintext.max.connections': '3' });
  expect([heard, config.current.getForListener('PLAINTEXT', 'max.connections')]).toEqual([1, 3]);
});

test('a change in another unit is a change of the setting', () => {
  const { config, update } = world();
  let heard = 0;
  config.onChange(['log.retention.ms'], () => {
    heard += 1;
  });
  update({ 'log.retention.ms': '5' });
  expect(heard).toBe(1);
});

test('changes are said, with those that have no effect, and without secrets', () => {
  const { said, update } = world();
  const name = 'listener.name.plaintext.ssl.key.password';
  update({ 'message.max.bytes': '5', 'num.io.threads': '16', 'no.such': 'x' }, { [name]: 'hunter2' });
  expect(said).toEqual([
    `info: Dynamic settings changed: ${name}=[hidden], message.max.bytes=5, no.such=[hidden], num.io.threads=16`,
    `warn: These settings are accepted but change nothing in this version: ${name}, num.io.threads`,
  ]);
  said.length = 0;
  update({ 'num.partitions': '3' });
  expect(said).toEqual([
    "error: Dynamic settings that can't be used in this place are ignored: num.partitions",
    `info: Dynamic settings changed: ${name}=(not set), message.max.bytes=(not set), no.such=(not set), num.io.threads=(not set)`,
  ]);
});
