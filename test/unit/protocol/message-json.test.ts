import { expect, test } from 'vitest';
import { JsonDouble, jsonText, messageJson } from '../../../src/protocol/message-json.ts';
import {
  array,
  bytes,
  float64,
  int32,
  int64,
  message,
  string,
  struct,
} from '../../../src/protocol/schema.ts';

const schema = message(
  { name: 'Example', versions: [0, 1], flexible: 1 },
  {
    name: string.nullable(),
    big: int64,
    ratio: float64.since(1),
    blob: bytes,
    rows: array({ id: int32 }),
    extra: int32.tagged(0, 1).default(7),
    inner: struct({ id: int32 }).nullable().tagged(1, 1).default(null),
  },
);
const value = {
  name: 'a "quoted"\n\u001f name',
  big: 9223372036854775807n,
  ratio: 0.5,
  blob: Buffer.from([255, 0]),
  rows: [{ id: 1 }, { id: 2 }],
  extra: 7,
  inner: null,
};

test('prints what the version carries, tagged fields only where they are set', () => {
  expect(jsonText(messageJson(schema, 0, { ...value, name: null }))).toBe(
    '{"name":null,"big":9223372036854775807,"blob":"/wA=","rows":[{"id":1},{"id":2}]}',
  );
  expect(jsonText(messageJson(schema, 1, value))).toBe(
    '{"name":"a \\"quoted\\"\\n\\u001F name","big":9223372036854775807,"ratio":0.5,"blob":"/wA=","rows":[{"id":1},{"id":2}]}',
  );
  expect(jsonText(messageJson(schema, 1, { ...value, name: '', extra: 8, inner: { id: 3 } }))).toContain(
    '"extra":8,"inner":{"id":3}}',
  );
});

test('a backslash before what looks like an escape stays one', () => {
  expect(jsonText('\\u001f')).toBe('"\\\\u001f"');
  expect(jsonText('\\\u001f')).toBe('"\\\\\\u001F"');
});

test.each([
  [0, '0.0'],
  [1, '1.0'],
  [0.001, '0.001'],
  [0.0001, '1.0E-4'],
  [123456.75, '123456.75'],
  [10_000_000, '1.0E7'],
  [-2.5e-9, '-2.5E-9'],
  [Number.NaN, '"NaN"'],
])('the double %d reads %s', (number, text) => {
  expect(jsonText(new JsonDouble(number))).toBe(text);
});
