import { startTarget, type Target, type TargetName } from '../../test/interop/support/target.ts';
import { chosenRuns, measuredBrokers, option, printHead } from '../command.ts';
import { type Figures, median, rows } from '../logs/report.ts';
import {
  commitsAndHeartbeats,
  coordinated,
  echo,
  joining,
  memoryOfGroups,
  type Protocol,
  rollingRestart,
  serves,
} from './runs.ts';

/**
 * What groups cost, on both brokers in turn, with members that speak the protocol from this process: joining until all
 * partitions are consumed, commits and heartbeats, a rolling restart, the memory of many groups. Every run checks what it
 * measured. Prints a Markdown table of medians.
 */

const rounds = Number(option('rounds', '3'));
const groups = Number(option('groups', '10000'));
const length = {
  warmupMs: Number(option('warmup', '10')) * 1000,
  measureMs: Number(option('seconds', '5')) * 1000,
};

const PORTS: Readonly<Record<TargetName, number>> = { odradek: 26010, apache: 26020 };
/** No wait for more members of either protocol, and heartbeats as often as a member wants. */
const PROPERTIES = {
  'group.initial.rebalance.delay.ms': '0',
  'group.consumer.assignment.interval.ms': '0',
  'group.consumer.min.heartbeat.interval.ms': '10',
  'group.consumer.heartbeat.interval.ms': '10',
};

interface Run {
  readonly title: string;
  readonly protocol: Protocol;
  readonly run: (target: Target) => Promise<Figures>;
}

const joins = (protocol: Protocol): [string, Run][] =>
  [1, 10, 100].map((count) => [
    `join-${protocol}-${count}`,
    {
      title: `${protocol}: ${count} ${count === 1 ? 'member' : 'members'}, 100 partitions`,
      protocol,
      run: (target) => joining(target, protocol, count, length.measureMs),
    },
  ]);
const rolls = (protocol: Protocol): [string, Run] => [
  `roll-${protocol}`,
  {
    title: `${protocol}: rolling restart of 50 members`,
    protocol,
    run: (target) => rollingRestart(target, protocol),
  },
];
const runs: readonly (readonly [string, Run])[] = [
  [
    'commits',
    {
      title: '16 members in 4 groups, one request in flight each',
      protocol: 'classic',
      run: (target) => commitsAndHeartbeats(target, length),
    },
  ],
  [
    'echo',
    {
      title: 'no broker, but a Node process that echoes: 16 connections, one request in flight each',
      protocol: 'classic',
      run: async (target) => (target.name === 'odradek' ? echo(length) : {}),
    },
  ],
  ...joins('classic'),
  ...joins('consumer'),
  rolls('classic'),
  rolls('consumer'),
  [
    'memory',
    {
      title: `${groups.toLocaleString('en-GB')} groups of one member with one offset`,
      protocol: 'classic',
      run: (target) => memoryOfGroups(target, groups),
    },
  ],
];

/** These have a warm-up of their own. */
const warmed: ReadonlySet<string> = new Set(['commits', 'echo']);

const chosen = chosenRuns(runs.map(([name]) => name));
const brokers = await measuredBrokers();

const figures = new Map<string, Record<TargetName, Figures[]>>();
const targets: Target[] = [];
try {
  for (const name of brokers) {
    const target = await startTarget(name, { port: PORTS[name], forBench: true, properties: PROPERTIES });
    targets.push(target);
    await coordinated(target);
  }
  for (const [name, { title, protocol, run }] of runs) {
    if (!chosen.has(name)) continue;
    const both: Record<TargetName, Figures[]> = { odradek: [], apache: [] };
    figures.set(title, both);
    // The first round of a run that has no warm-up of its own is one; memory counts once.
    const times = name === 'memory' ? 1 : warmed.has(name) ? rounds : rounds + 1;
    for (let round = 0; round < times; round++) {
      for (const target of targets) {
        if (!(await serves(target, protocol))) {
          if (round === 0) process.stderr.write(`${target.name} does not serve ${protocol} groups\n`);
          continue;
        }
        process.stderr.write(`${target.name}: ${title}\n`);
        const one = await run(target);
        process.stderr.write(`${JSON.stringify(one)}\n`);
        if (times <= rounds || round > 0) both[target.name].push(one);
      }
    }
  }
} finally {
  for (const target of targets) await target.stop();
}

printHead('after', rounds);
for (const [title, both] of figures) {
  for (const row of rows(title, median(both.odradek), median(both.apache))) console.log(row);
}
