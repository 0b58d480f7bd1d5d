import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { decode, encodeToBytes } from '../../../src/protocol/codec.ts';
import { Errors, errorName, errorText, isRetriable } from '../../../src/protocol/errors.ts';
import { allMessages, versionsOf } from './all-messages.ts';
import { type Golden, goldenFile, jsonMatches } from './golden.ts';
import { numberedMessage, sparseMessage } from './numbered-values.ts';

const golden: Golden = JSON.parse(readFileSync(goldenFile, 'utf8'));
const schemas = await allMessages();

describe(`as Apache Kafka ${golden.from.join(' and ')} wrote it`, () => {
  test('every message and version has the same bytes, both ways', () => {
    for (const schema of schemas) {
      for (const version of versionsOf(schema)) {
        const where = `${schema.name} v${version}`;
        const hexes = golden.bytes[schema.name]?.[version];
        if (hexes === undefined) continue;
        const [numbered, sparse] = hexes.split(' ');
        for (const [value, hex] of [
          [numberedMessage(schema, version), numbered],
          [sparseMessage(schema, version), sparse],
        ] as const) {
          expect(encodeToBytes(schema, version, value).toString('hex'), where).toBe(hex);
          const back = decode(schema, version, Buffer.from(hex ?? '', 'hex'));
          expect(encodeToBytes(schema, version, back).toString('hex'), where).toBe(hex);
        }
      }
    }
  });

  test('names and values are those of its JSON form', () => {
    for (const schema of schemas) {
      for (const [version, json] of Object.entries(golden.values[schema.name] ?? {})) {
        const value = numberedMessage(schema, Number(version));
        expect(jsonMatches(schema, Number(version), value, json)).toBe('');
      }
    }
  });

  test('error codes have its names and may be tried again where it says so', () => {
    for (const [name, [code, mayRetry]] of Object.entries(golden.errors)) {
      expect(errorName(code)).toBe(name);
      expect(isRetriable(code), name).toBe(mayRetry);
    }
  });
});

describe('errors', () => {
  test('every code has its own name, and every error a text', () => {
    const codes = Object.values(Errors).toSorted((one, other) => one - other);
    expect(codes).toEqual(Array.from({ length: codes.length }, (_, index) => index - 1));
    for (const code of codes) if (code !== Errors.NONE) expect(errorText(code)).not.toBe('');
  });

  test('a code of the future counts as an unknown error', () => {
    expect(errorName(9999)).toBe('UNKNOWN_SERVER_ERROR');
  });
});
