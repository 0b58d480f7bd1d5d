import { expect, test } from 'vitest';
import { helpText } from '../../../src/cli/help.ts';

test('names every command', async () => {
  const text = await helpText(undefined);
  for (const command of ['start', 'stop', 'status', 'verify-log', 'dump-log'])
    expect(text).toContain(`broker ${command}`);
});

test.each([
  [
    'start',
    [
      '--override',
      '--port',
      '--data-dir',
      '--memory',
      '--profile',
      '--daemon',
      '--log-format',
      '--log-level',
    ],
  ],
  ['stop', ['--timeout', '--force', '--data-dir']],
  ['status', ['--bootstrap-server', '--json']],
] as const)('%s names its options', async (command, options) => {
  const text = await helpText(command);
  expect(text).toMatch(new RegExp(`^broker ${command} \\[server\\.properties\\]`));
  for (const option of options) expect(text).toContain(option);
});

test('dump-log names the options of the official tool', async () => {
  const text = await helpText('dump-log');
  expect(text).toMatch(/^broker dump-log --files FILE,\.\.\. \[options\]/);
  for (const option of ['--print-data-log', '--offsets-decoder', '--index-sanity-check', '--max-bytes']) {
    expect(text).toContain(option);
  }
});

test('verify-log names its options and exit codes', async () => {
  const text = await helpText('verify-log');
  expect(text).toMatch(/^broker verify-log DIR \[options\]/);
  for (const part of ['--repair', '--full', '--config', 'Ends with 0']) expect(text).toContain(part);
});
