import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { StartFlags, startFlagsOf } from '../../../src/io/start-flags.ts';

const WHILE_STARTING = ['--semi-space-growth-factor=1', '--interrupt-budget=1000000'];
const OWN = ['--semi-space-growth-factor=2', '--interrupt-budget=67584'];

function flagsOn(version = '11.3.244.8-node.33') {
  const set: string[] = [];
  const flags = new StartFlags({ version, set: (flag) => set.push(flag) });
  return { flags, taken: () => set.splice(0) };
}

describe('the flags of V8 while a broker starts', () => {
  it('are its own again once the broker serves', async () => {
    const { flags, taken } = flagsOn();
    await flags.during(async () => expect(taken()).toEqual(WHILE_STARTING));
    expect(taken()).toEqual(OWN);
  });

  it('are its own again where the start fails', async () => {
    const { flags, taken } = flagsOn();
    const failed = flags.during(() => Promise.reject(new Error('the port is taken')));
    await expect(failed).rejects.toThrow('the port is taken');
    expect(taken()).toEqual([...WHILE_STARTING, ...OWN]);
  });

  it('are its own while threads start, and after the start for good', async () => {
    const { flags, taken } = flagsOn();
    await flags.during(async () => {
      taken();
      flags.threadStarts();
      flags.threadStarts();
      flags.threadRuns();
      expect(taken()).toEqual([...OWN, ...OWN, ...OWN]);
      flags.threadRuns();
      expect(taken()).toEqual(WHILE_STARTING);
    });
    taken();
    flags.threadStarts();
    flags.threadRuns();
    expect(taken()).toEqual([...OWN, ...OWN]);
  });

  it('are left alone where V8 may not know them', async () => {
    const { flags, taken } = flagsOn('99.0.1');
    await flags.during(async () => {});
    expect(taken()).toEqual([]);
  });

  it('are known to the V8 that runs this, with these defaults', () => {
    const options = execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' });
    for (const { name, afterwards } of startFlagsOf(process.versions.v8)) {
      expect(options).toContain(`default: --${name}=${afterwards}\n`);
    }
  });
});
