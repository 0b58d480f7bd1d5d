import { BufferPool } from '../base/buffer-pool.ts';
import type { FramePool, Logger, Ports } from '../base/ports.ts';
import { SystemClock } from './clock.ts';
import { DiskStorage } from './files.ts';
import { MemoryStorage } from './memory-storage.ts';
import { openFilesMax } from './open-files-max.ts';
import { SystemRandom } from './random.ts';
import { TcpNetwork } from './tcp.ts';
import { SystemTimers } from './timers.ts';
import { LoopTurn } from './turn.ts';

export interface RealPortsOptions {
  readonly logger: Logger;
  /** Keeps files in memory; a number bounds them in bytes. */
  readonly memory?: boolean | number;
  /** See {@link TcpNetwork}. */
  readonly reading?: 'onread' | 'data';
}

/** The ports of one node on this machine. */
export function realPorts(options: RealPortsOptions): Ports & { readonly framePool: FramePool } {
  const { logger, memory = false, reading } = options;
  const clock = new SystemClock();
  const turn = new LoopTurn();
  const random = new SystemRandom();
  const inMemory = typeof memory === 'number' ? { maxBytes: memory } : {};
  return {
    clock,
    timers: new SystemTimers(clock),
    turn,
    random,
    storage: memory === false ? new DiskStorage(random) : new MemoryStorage(inMemory),
    network: new TcpNetwork({
      ...{ turn, logger, clock, openFilesMax: openFilesMax() },
      ...(reading === undefined ? {} : { reading }),
    }),
    logger,
    framePool: new BufferPool(),
  };
}
