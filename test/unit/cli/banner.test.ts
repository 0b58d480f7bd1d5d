import { describe, expect, test } from 'vitest';
import {
  advertisedWarnings,
  bootstrapServersOf,
  listenerLine,
  type OpenListener,
} from '../../../src/cli/banner.ts';

const open = (bound: string, advertised: string | undefined): OpenListener => ({
  name: 'PLAINTEXT',
  bound: { host: bound, port: 9092 },
  advertised: advertised === undefined ? undefined : { host: advertised, port: 9092 },
});

describe('each listener in a line', () => {
  test.each([
    [open('127.0.0.1', 'localhost'), 'PLAINTEXT: listens on 127.0.0.1:9092; clients are told localhost:9092'],
    [open('::', '::1'), 'PLAINTEXT: listens on all addresses, port 9092; clients are told [::1]:9092'],
    [open('', 'me'), 'PLAINTEXT: listens on all addresses, port 9092; clients are told me:9092'],
    [open('10.0.0.1', undefined), 'PLAINTEXT: listens on 10.0.0.1:9092; not shown to clients'],
  ])('%#', (listener, expected) => {
    expect(listenerLine(listener)).toBe(expected);
  });
});

test('bootstrap servers are what clients are told', () => {
  expect(bootstrapServersOf([open('::', 'a'), open('::', undefined), open('::', '::1')])).toBe(
    'a:9092,[::1]:9092',
  );
});

describe('addresses that clients may not reach', () => {
  const resolve = (host: string) =>
    host === 'known' ? Promise.resolve() : Promise.reject(new Error('ENOTFOUND'));

  test.each([
    [open('127.0.0.1', 'localhost'), undefined],
    [open('localhost', 'localhost'), undefined],
    [open('0.0.0.0', 'known'), undefined],
    [open('127.0.0.1', undefined), undefined],
    [open('0.0.0.0', 'localhost'), /listens on all addresses, but .* only this machine reaches/],
    [open('', '127.0.0.1'), /only this machine reaches/],
    [open('0.0.0.0', '0.0.0.0'), /leads nowhere; set advertised\.listeners=PLAINTEXT:\/\/<address/],
    [open('0.0.0.0', 'unknown'), /this machine can't resolve unknown/],
  ])('%#', async (listener, expected) => {
    const warnings = await advertisedWarnings([listener], resolve);
    if (expected === undefined) expect(warnings).toEqual([]);
    else expect(warnings).toEqual([expect.stringMatching(expected)]);
  });
});
