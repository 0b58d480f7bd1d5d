import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { startFlagsOf, withStartFlags } from '../../../src/cli/start-flags.ts';

const NODE_20 = '11.3.244.8-node.33';

describe('the flags of V8 while a broker starts', () => {
  it('are its own defaults again once the broker serves', async () => {
    const set: string[] = [];
    const started = withStartFlags(async () => set.push('serves'), {
      version: NODE_20,
      set: (flag) => set.push(flag),
    });
    await started;
    expect(set).toEqual([
      '--semi-space-growth-factor=1',
      '--interrupt-budget=1000000',
      'serves',
      '--semi-space-growth-factor=2',
      '--interrupt-budget=67584',
    ]);
  });

  it('are its own defaults again where the start fails', async () => {
    const set: string[] = [];
    const start = () => Promise.reject(new Error('the port is taken'));
    const failed = withStartFlags(start, { version: NODE_20, set: (flag) => set.push(flag) });
    await expect(failed).rejects.toThrow('the port is taken');
    expect(set.slice(2)).toEqual(['--semi-space-growth-factor=2', '--interrupt-budget=67584']);
  });

  it('are left alone where V8 may not know them', async () => {
    const set: string[] = [];
    await withStartFlags(async () => {}, { version: '99.0.1', set: (flag) => set.push(flag) });
    expect(set).toEqual([]);
  });

  it('are known to the V8 that runs this, with these defaults', () => {
    const options = execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' });
    for (const { name, afterwards } of startFlagsOf(process.versions.v8)) {
      expect(options).toContain(`default: --${name}=${afterwards}\n`);
    }
  });
});
