import { expect, test } from 'vitest';
import { RecentTexts } from '../../../src/protocol/recent-texts.ts';
import { SeededRandom } from './random-values.ts';

const SEED = 7;

const read = (texts: RecentTexts, bytes: Buffer) => {
  // Among others, so that nothing but the given part is looked at.
  const frame = Buffer.concat([Buffer.from('<'), bytes, Buffer.from('>')]);
  return texts.read(frame, 1, 1 + bytes.length);
};

test('whatever was read before, a text is what its bytes say', () => {
  const texts = new RecentTexts();
  const random = new SeededRandom(SEED);
  // Few of them, alike in their ends and lengths, so that many share a slot; some are no valid UTF-8.
  const all = Array.from({ length: 3000 }, (_, i) => {
    const prefix = `${i % 700}`.padStart(1 + (i % 90), '-');
    const end = ['', 'é', 'orders', '\u0000', '漢字'][i % 5]!;
    const bytes = Buffer.from(`${prefix}-the-same-end-of-all-${end}`);
    if (i % 11 === 0) bytes[random.below(bytes.length)] = 0xe9;
    return bytes;
  });
  for (let round = 0; round < 3; round++) {
    for (const bytes of all) expect(read(texts, bytes)).toBe(bytes.toString('utf8'));
  }
});

test('bytes that are no UTF-8 are not taken for the text whose characters they number', () => {
  const texts = new RecentTexts();
  expect(read(texts, Buffer.from('café'))).toBe('café');
  expect(read(texts, Buffer.from('caf\u00e9-', 'latin1'))).toBe('caf\ufffd-');
  expect(read(texts, Buffer.from('caf\ufffd-'))).toBe('caf\ufffd-');
  expect(read(texts, Buffer.from('caf\u00e9-', 'latin1'))).toBe('caf\ufffd-');
});
