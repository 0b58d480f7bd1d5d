import { expect, test } from 'vitest';
import { helpText } from '../../../src/cli/help.ts';

test('names every command', async () => {
  const text = await helpText(undefined);
  for (const command of ['start', 'stop', 'status']) expect(text).toContain(`broker ${command}`);
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
