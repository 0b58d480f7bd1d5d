import { BufferPool } from '../base/buffer-pool.ts';
import { InlineBackground } from '../base/inline-background.ts';
import type { FramePool, Logger, Ports } from '../base/ports.ts';
import { canRunAsWorker, WorkerBackground } from './background.ts';
import { SystemClock } from './clock.ts';
import { DiskStorage } from './files.ts';
import { MemoryStorage } from './memory-storage.ts';
import { openFilesMax } from './open-files-max.ts';
import { SystemRandom } from './random.ts';
import type { StartFlags } from './start-flags.ts';
import { TcpNetwork } from './tcp.ts';
import { SystemTimers } from './timers.ts';
import { LoopTurn } from './turn.ts';

export interface RealPortsOptions {
  readonly logger: Logger;
  /** Keeps files in memory; a number bounds them in bytes. */
  readonly memory?: boolean | number;
  /** The module of background threads. Default, and where Node can't load it: background jobs run on the loop. */
  readonly workerEntry?: URL;
  /** Only where the process is a broker and nothing else. */
  readonly startFlags?: StartFlags | undefined;
  /** See {@link TcpNetwork}. */
  readonly reading?: 'onread' | 'data';
}

/** The ports of one node on this machine. */
export function realPorts(options: RealPortsOptions): Ports & { readonly framePool: FramePool } {
  const { logger, memory = false, workerEntry, startFlags, reading } = options;
  const clock = new SystemClock();
  const turn = new LoopTurn();
  const random = new SystemRandom();
  const filesMax = openFilesMax();
  const inMemory = typeof memory === 'number' ? { maxBytes: memory } : {};
  const timers = new SystemTimers(clock);
  const storage = memory === false ? new DiskStorage(random) : new MemoryStorage(inMemory);
  const inline = new InlineBackground({ storage, clock, turn, timers });
  // Another thread does not see what is kept in this one's memory.
  const mayLeave = memory === false && workerEntry !== undefined && canRunAsWorker(workerEntry);
  return {
    clock,
    timers,
    turn,
    random,
    storage,
    background: mayLeave
      ? new WorkerBackground({ entry: workerEntry, fallback: inline, logger, startFlags })
      : inline,
    network: new TcpNetwork({
      ...{ turn, logger, clock, openFilesMax: filesMax },
      ...(reading === undefined ? {} : { reading }),
    }),
    logger,
    framePool: new BufferPool(),
    ...(filesMax === undefined ? {} : { openFilesMax: filesMax }),
  };
}
