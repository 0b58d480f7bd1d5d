import type { TargetName } from '../../test/interop/support/target.ts';
import { makeTopics } from '../../test/interop/support/wire.ts';
import { boot, settleDisk, start, withDataDir } from './brokers.ts';
import { fill } from './fill.ts';
import type { Figures } from './report.ts';

/** How long a node with many partitions takes to lead them all again, by how it was stopped. */
export function recovery(name: TargetName, partitions: number, megabytes: number): Promise<Figures> {
  const empty = [{ name: 'many', ends: new Array<number>(partitions).fill(0) }];
  return withDataDir(async (dataDir) => {
    let target = await start(name, dataDir);
    const figures: Figures = {};
    try {
      await makeTopics(target.port, [{ name: 'many', partitions }]);
      const topics = await fill(target.port, empty, (megabytes * 1e6) / partitions);
      const again = async (title: string, signal: NodeJS.Signals): Promise<void> => {
        await settleDisk();
        await target.stop(signal);
        const booted = await boot(name, dataDir, topics);
        target = booted.target;
        figures[`all led after ${title}, s`] = booted.ms / 1000;
        figures[`CPU until then after ${title}, s`] = booted.cpuMs / 1000;
      };
      await again('SIGKILL', 'SIGKILL');
      await again('SIGKILL, again without a write', 'SIGKILL');
      await again('a clean stop', 'SIGTERM');
      await again('SIGKILL after a clean stop', 'SIGKILL');
    } finally {
      await target.stop('SIGKILL');
    }
    return figures;
  });
}
