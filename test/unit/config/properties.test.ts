import { describe, expect, test } from 'vitest';
import { Properties, PropertiesSyntaxError } from '../../../src/config/properties.ts';

const read = (text: string) =>
  Object.fromEntries(Properties.parse(text).entries.map(({ key, value }) => [key, value]));

describe('grammar of Java properties', () => {
  test.each([
    ['a=b', { a: 'b' }],
    ['a = b', { a: 'b' }],
    ['a : b', { a: 'b' }],
    ['a b c', { a: 'b c' }],
    ['a\t=\f b', { a: 'b' }],
    ['  a=b  ', { a: 'b  ' }],
    ['a', { a: '' }],
    ['a=', { a: '' }],
    ['a==b', { a: '=b' }],
    ['a:=b', { a: '=b' }],
    ['a = = b', { a: '= b' }],
    ['=b', { '': 'b' }],
    // As java.util.Properties answers.
    ['\\', { '': '' }],
    ['\\\n', { '': '' }],
    ['\\\n\n', {}],
    ['\\\n#c\na=b', { a: 'b' }],
    ['\\\n\n a=b', { a: 'b' }],
    ['a\\\n#b=c', { 'a#b': 'c' }],
    ['k\\\n  =v', { k: 'v' }],
    ['a\\=b:c', { 'a=b': 'c' }],
    ['a=b\\\r\n  c', { a: 'bc' }],
    ['a\fb', { a: 'b' }],
    ['x=\\q', { x: 'q' }],
    ['!c\ra=b', { a: 'b' }],
    ['listeners=PLAINTEXT://:9092', { listeners: 'PLAINTEXT://:9092' }],
    ['a\\=b=c', { 'a=b': 'c' }],
    ['a\\:b\\ c d', { 'a:b c': 'd' }],
    ['a=\\u0041\\u00e9', { a: 'Aé' }],
    ['a=x\\ty\\nz\\\\', { a: 'x\ty\nz\\' }],
    ['a=C:\\temp\\new', { a: 'C:\temp\new' }],
    ['a=\\q', { a: 'q' }],
    ['path=b\\\n   c\\\n\td', { path: 'bcd' }],
    ['a=b\\', { a: 'b' }],
    ['a=b\\\\\nc=d', { a: 'b\\', c: 'd' }],
    ['# a=b\n! c=d\n   # e=f\n\n  \ng=h # no comment', { g: 'h # no comment' }],
    ['a=b\\\n# c', { a: 'b# c' }],
    ['a=1\r\nb=2\rc=3', { a: '1', b: '2', c: '3' }],
    ['\uFEFFa=1', { a: '1' }],
    ['a=b # not a comment', { a: 'b # not a comment' }],
    ['naïve=ünïcode', { naïve: 'ünïcode' }],
    ['', {}],
  ])('%j', (text, expected) => {
    expect(read(text)).toEqual(expected);
  });

  test('the last of several values counts, and the others are told', () => {
    const properties = Properties.parse('a=1\nb=2\na=3\n\na=4', 'x.properties');
    expect(properties.get('a')).toEqual({ key: 'a', value: '4', line: 5 });
    expect(properties.duplicates()).toEqual(new Map([['a', [1, 3, 5]]]));
  });

  test('an entry stands on the line where it begins', () => {
    const lines = Properties.parse('# one\n\na=1\\\n  2\\\n  3\nb=4').entries.map(({ key, line }) => [
      key,
      line,
    ]);
    expect(lines).toEqual([
      ['a', 3],
      ['b', 6],
    ]);
  });

  test('a broken unicode escape is refused with file and line', () => {
    expect(() => Properties.parse('a=1\nb=\\u12g4', 'my.properties')).toThrow(PropertiesSyntaxError);
    expect(() => Properties.parse('a=1\nb=\\u12g4', 'my.properties')).toThrow(/^my\.properties:2: .*\\u/);
  });
});
