import { expect, test } from 'vitest';
import type { Ports } from '../../../src/base/ports.ts';
import type { LogConfig } from '../../../src/config/log-config.ts';
import { LogManager } from '../../../src/log/log-manager.ts';
import type { LogOptions } from '../../../src/log/log-options.ts';
import { World } from '../../simulation/world.ts';
import { append, batch, config, topicId, valuesFrom } from './fakes.ts';

const LOGS = 30;
const settings = { segmentBytes: 2_000, indexIntervalBytes: 200 };
/** On the loop, and in other threads. */
const ways: readonly (readonly [string, Partial<LogOptions>])[] = [
  ['on the loop', {}],
  ['off the loop', { offLoopRecoveryBytes: 0 }],
];

function managerOn(ports: Ports, options: Partial<LogOptions> = {}, changes: Partial<LogConfig> = {}) {
  return LogManager.create({
    dirs: ['/data'],
    configFor: () => config({ ...settings, ...changes }),
    ports,
    options,
    recoveryThreadsPerDir: () => 2,
  });
}

/** A machine with logs that a process has written; it still runs. */
async function written(seed = 1, changes: Partial<LogConfig> = {}) {
  const world = new World({ seed });
  const machine = world.machine('n1');
  const { ports } = machine.boot();
  const manager = managerOn(ports, {}, changes);
  await world.settle(manager.load());
  for (let partition = 0; partition < LOGS; partition += 1) {
    const log = manager.getOrCreate('t', partition, topicId);
    for (let at = 0; at < 40; at += 1) {
      append(
        log,
        batch([`${partition}-${at}-${'x'.repeat(60)}`], {
          producerId: 5n,
          producerEpoch: 0,
          baseSequence: at,
        }),
      );
    }
  }
  await world.run(10);
  return { world, machine, manager };
}

const linesOf = (machine: { logLines: string[] }, pattern: RegExp) =>
  machine.logLines.filter((line) => pattern.test(line));

test.each(ways)('after a kill all that was written is there, recovered %s', async (_, options) => {
  const { world, machine } = await written();
  machine.crash('kill');
  const { ports } = machine.boot();
  const manager = managerOn(ports, options);
  await world.settle(manager.load());
  expect([...manager.all()]).toHaveLength(LOGS);
  for (const log of manager.all()) {
    expect((await world.settle(valuesFrom(log, 0))).length).toBe(40);
    expect(log.activeProducers()).toEqual([expect.objectContaining({ producerId: 5n, lastSequence: 39 })]);
    // What was not acknowledged may be sent again.
    const repeat = batch([`${log.partition}-36-${'x'.repeat(60)}`], {
      producerId: 5n,
      producerEpoch: 0,
      baseSequence: 36,
    });
    expect(append(log, repeat)).toMatchObject({ duplicate: true, firstOffset: 36 });
  }
  expect(linesOf(machine, /recovered 30 logs in \/data/)).toHaveLength(1);
});

test('both ways leave the same files', async () => {
  const files: ReadonlyMap<string, number>[] = [];
  for (const [, options] of ways) {
    const { world, machine } = await written(3);
    machine.crash('power', 'tear');
    const manager = managerOn(machine.boot().ports, options);
    await world.settle(manager.load());
    files.push(machine.disk.files());
  }
  expect(files[0]).toEqual(files[1]);
});

test.each(ways)('below the recovery point nothing is read again, %s', async (_, options) => {
  const { world, machine, manager } = await written();
  for (const log of manager.all()) await world.settle(log.flush());
  manager.startBackground();
  await world.run(61_000);
  machine.crash('kill');
  const before = machine.disk.counts.read;
  const { ports } = machine.boot();
  await world.settle(managerOn(ports, options).load());
  const recovered = linesOf(machine, /recovered 30 logs/)[0] ?? '';
  const bytes = Number(/"bytes":(\d+)/.exec(recovered)?.[1]);
  const active = [...machine.disk.files()].filter(([path]) => path.endsWith('.log'));
  const all = active.reduce((sum, [, size]) => sum + size, 0);
  expect(bytes).toBeLessThan(all / 3);
  expect(machine.disk.counts.read).toBeGreaterThan(before);
});

test('a stop in the middle leaves no marker, and the rest is recovered the next time', async () => {
  for (let ms = 0; ms < 12; ms += 1) {
    const { world, machine } = await written(ms);
    machine.crash('kill');
    const first = managerOn(machine.boot().ports, { offLoopRecoveryBytes: 0 });
    const loading = first.load().then(
      () => 'loaded',
      (error: Error) => error.name,
    );
    await world.run(ms);
    first.interrupt();
    const outcome = await world.settle(loading);
    await world.settle(first.close());
    expect(machine.disk.files().has('/data/.kafka_cleanshutdown')).toBe(outcome === 'loaded');
    machine.exited();
    const second = managerOn(machine.boot().ports, { offLoopRecoveryBytes: 0 });
    await world.settle(second.load());
    for (const log of second.all()) expect((await world.settle(valuesFrom(log, 0))).length).toBe(40);
    expect([...second.all()]).toHaveLength(LOGS);
  }
});

test('a stop in the middle of a start after a clean stop leaves the marker there', async () => {
  const { world, machine, manager } = await written();
  await world.settle(manager.close());
  machine.exited();
  const first = managerOn(machine.boot().ports);
  expect(machine.disk.files().has('/data/.kafka_cleanshutdown')).toBe(false);
  first.interrupt();
  await expect(world.settle(first.load())).rejects.toThrow(/interrupted/);
  await world.settle(first.close());
  machine.exited();
  const second = managerOn(machine.boot().ports);
  expect(second.hadCleanShutdown('/data')).toBe(true);
  await world.settle(second.load());
  expect([...second.all()].map((log) => log.recoveryPoint)).toEqual(Array(LOGS).fill(40));
});

test.each(ways)('a disk that fails while it is read takes the dir offline, %s', async (_, options) => {
  const { world, machine } = await written();
  machine.crash('kill');
  const manager = managerOn(machine.boot().ports, options);
  machine.disk.failNext('read', 'EIO', /t-7\/.*\.log$/);
  await expect(world.settle(manager.load())).rejects.toMatchObject({ code: 56 });
  expect([manager.dirs, manager.offlineDirs, [...manager.all()]]).toEqual([[], ['/data'], []]);
  await world.settle(manager.close());
});

test('the progress is told: logs, bytes, seconds left', async () => {
  const { world, machine } = await written();
  machine.crash('kill');
  const { ports } = machine.boot();
  // Slow threads: each step takes a second.
  const slow: Ports = {
    ...ports,
    background: {
      run: (job, input, onProgress) =>
        ports.background.run(
          {
            name: job.name,
            *run(given, context) {
              const steps = job.run(given, context);
              for (;;) {
                const step = steps.next();
                if (step.done === true) return step.value;
                yield { ...step.value, waitMs: 50 };
              }
            },
          },
          input,
          onProgress,
        ),
    },
  };
  await world.settle(managerOn(slow, { offLoopRecoveryBytes: 0 }).load());
  const lines = linesOf(machine, /recovering \/data: \d+ of 30 logs, \d+ of \d+ MiB/);
  expect(lines.length).toBeGreaterThan(0);
});

test('the marker of a clean stop does not come back when power is lost just after the next start', async () => {
  for (let seed = 1; seed <= 10; seed += 1) {
    const { world, machine, manager } = await written(seed);
    await world.settle(manager.close());
    machine.exited();
    managerOn(machine.boot().ports);
    machine.crash('power');
    expect(machine.disk.files().has('/data/.kafka_cleanshutdown'), `seed ${seed}`).toBe(false);
  }
});
