import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { Conversation } from '../integration/conversation.ts';
import { apacheMissing } from './support/apache.ts';
import { calmRecord } from './support/calm.ts';
import { compareBrokers, type Observations } from './support/compare.ts';
import { WireMember } from './support/consumer-member.ts';
import { until } from './support/run.ts';
import type { Target } from './support/target.ts';
import { ToolSteps } from './support/tool-steps.ts';
import { JavaTools } from './support/tools.ts';
import { makeTopics } from './support/wire.ts';

/** Kafka's own tools and consumer groups of the new protocol. */

const RECORDS = 60;

class Suite extends ToolSteps {
  groups(step: string, ...args: readonly string[]): Promise<void> {
    return this.tool(step, 'kafka-consumer-groups', ...args);
  }

  reset(step: string, ...args: readonly string[]): Promise<void> {
    return this.groups(`reset ${step}`, '--reset-offsets', '--topic', 'orders', ...args);
  }

  /** The records in `__consumer_offsets` of one group, as Apache Kafka's own decoder shows them. */
  async dumped(group: string): Promise<void> {
    const shown: string[] = [];
    for (const folder of readdirSync(this.target.dataDir)) {
      if (!folder.startsWith('__consumer_offsets-')) continue;
      const file = join(this.target.dataDir, folder, '00000000000000000000.log');
      const { stdout } = await this.tools.run('kafka-dump-log', [
        '--offsets-decoder',
        '--print-data-log',
        '--files',
        file,
      ]);
      for (const line of stdout.split('\n')) {
        const key = / key: (\{.*\}) payload: (.*)$/.exec(line);
        // A tombstone for what brokers before 4.1 wrote: here only where they did.
        if (key?.[1]?.startsWith('{"type":"4"') && key[2] === '<DELETE>') continue;
        if (key?.[1]?.includes(`"${group}"`)) shown.push(calmRecord(`${key[1]} ${key[2]}`));
      }
    }
    this.seen[`the records of ${group}`] = shown;
  }
}

async function observe(target: Target): Promise<Observations> {
  const tools = await JavaTools.start();
  const talk = await Conversation.open(target.bootstrap);
  try {
    const suite = new Suite(target, tools);
    await runTools(suite, target, talk);
    return suite.seen;
  } finally {
    talk.close();
    await tools.stop();
  }
}

async function runTools(suite: Suite, target: Target, talk: Conversation): Promise<void> {
  await makeTopics(target.port, [{ name: 'orders', partitions: 2 }, { name: 'bills' }]);
  const lines = Array.from({ length: RECORDS }, (_, i) => `k${i}:v${i}\n`).join('');
  const keyed = ['--reader-property', 'parse.key=true', '--reader-property', 'key.separator=:'];
  await suite.run('kafka-console-producer', ['--topic', 'orders', ...keyed], lines);
  await makeGroups(talk);
  await lists(suite);
  await descriptions(suite);
  await changes(suite);
  for (const group of ['live', 'by-regex', 'empty', 'away']) await suite.dumped(group);
  await consoleConsumer(suite);
}

/** Members that are there, that were there, and that are away for a moment. */
async function makeGroups(talk: Conversation): Promise<void> {
  const a = new WireMember(talk, 'live', 'member-a');
  const b = new WireMember(talk, 'live', 'member-b', 'instance-b');
  await a.join({ subscribedTopicNames: ['orders'], rackId: 'rack-a' });
  await b.join({ subscribedTopicNames: ['orders'] });
  await until('both to have their parts', async () => {
    for (const member of [a, b]) await member.settle();
    return a.ownedCount === 1 && b.ownedCount === 1 && a.epoch === b.epoch ? true : undefined;
  });
  await a.commit('orders', 0, 5);
  await b.commit('orders', 1, 7);
  const regex = new WireMember(talk, 'by-regex', 'member');
  await regex.join({ subscribedTopicRegex: 'ord.*', serverAssignor: 'range' });
  await until('what matches', async () => {
    await regex.settle();
    return regex.ownedCount === 2 ? true : undefined;
  });
  const gone = new WireMember(talk, 'empty', 'member');
  await gone.join({ subscribedTopicNames: ['orders'] });
  await gone.settle();
  await gone.commit('orders', 0, 3);
  await gone.commit('bills', 0, 0);
  await gone.leave();
  const away = new WireMember(talk, 'away', 'member', 'instance');
  await away.join({ subscribedTopicNames: ['bills'] });
  await away.settle();
  await away.leaveForAMoment();
}

async function lists(suite: Suite): Promise<void> {
  await suite.groups('list', '--list');
  await suite.groups('list with states', '--list', '--state');
  await suite.groups('list by state', '--list', '--state', 'Empty,Reconciling');
  await suite.groups('list with types', '--list', '--type');
  await suite.groups('list by type', '--list', '--type', 'consumer');
  await suite.groups('list by another type', '--list', '--type', 'classic');
  await suite.groups('list by state and type', '--list', '--state', 'Stable', '--type', 'Consumer');
  await suite.tool('kafka-groups lists', 'kafka-groups', '--list');
  await suite.tool('kafka-groups lists consumers', 'kafka-groups', '--list', '--consumer');
  await suite.tool('kafka-groups lists a type', 'kafka-groups', '--list', '--group-type', 'consumer');
  await suite.tool('kafka-groups lists a protocol', 'kafka-groups', '--list', '--protocol', 'consumer');
}

async function descriptions(suite: Suite): Promise<void> {
  const views = [
    [],
    ['--offsets'],
    ['--offsets', '--verbose'],
    ['--members'],
    ['--members', '--verbose'],
    ['--state'],
    ['--state', '--verbose'],
  ];
  for (const group of ['live', 'by-regex', 'empty', 'away']) {
    for (const view of views) {
      await suite.groups(`describe ${group} ${view.join(' ')}`, '--describe', '--group', group, ...view);
    }
  }
  await suite.groups('describe the state of all', '--describe', '--all-groups', '--state');
  await suite.groups('describe an unknown group', '--describe', '--group', 'never-was', '--members');
}

async function changes(suite: Suite): Promise<void> {
  await suite.reset('of a group with members', '--group', 'live', '--to-earliest', '--execute');
  await suite.reset('to earliest, only shown', '--group', 'empty', '--to-earliest', '--dry-run');
  await suite.reset('to latest', '--group', 'empty', '--to-latest', '--execute');
  await suite.reset('by a shift', '--group', 'empty', '--shift-by', '-2', '--execute');
  await suite.reset('to an offset', '--group', 'empty', '--to-offset', '9', '--execute');
  await suite.reset('of a group whose member is away', '--group', 'away', '--to-earliest', '--execute');
  await suite.groups('describe after the resets', '--describe', '--group', 'empty');
  const forget = (step: string, group: string, topic: string) =>
    suite.groups(`delete offsets ${step}`, '--delete-offsets', '--group', group, '--topic', topic);
  await forget('that members consume', 'live', 'orders');
  await forget('of an empty group', 'empty', 'bills');
  await forget('in an unknown topic', 'empty', 'never-was');
  await suite.groups('delete a group with members', '--delete', '--group', 'live');
  await suite.groups('delete two', '--delete', '--group', 'empty', '--group', 'never-was');
  await suite.groups('list at the end', '--list', '--state');
}

async function consoleConsumer(suite: Suite): Promise<void> {
  const protocol = ['--command-property', 'group.protocol=consumer'];
  const { code, stdout } = await suite.run('kafka-console-consumer', [
    ...['--topic', 'orders', '--group', 'console', '--from-beginning', ...protocol],
    ...['--max-messages', String(RECORDS)],
  ]);
  suite.seen['a console consumer of the new protocol'] = {
    code,
    lines: stdout
      .split('\n')
      .filter((line) => line !== '')
      .sort(),
  };
  await until('its group to be empty', async () => {
    const state = await suite.run('kafka-consumer-groups', ['--describe', '--group', 'console', '--state']);
    return state.stdout.includes('Empty') ? true : undefined;
  });
  await suite.groups('describe its offsets', '--describe', '--group', 'console');
}

await compareBrokers({
  title: 'consumer group tools',
  missing: await apacheMissing(),
  properties: {
    'group.initial.rebalance.delay.ms': '0',
    'offsets.topic.num.partitions': '3',
    'group.consumer.assignment.interval.ms': '0',
    'group.consumer.min.assignment.interval.ms': '0',
    'group.consumer.max.session.timeout.ms': '600000',
    'group.consumer.session.timeout.ms': '600000',
  },
  observe,
  expectations(seen) {
    const lines = Array.from({ length: RECORDS }, (_, i) => `v${i}`).sort();
    expect(seen['a console consumer of the new protocol']).toEqual({ code: 0, lines });
    expect((seen['the records of live'] as unknown[]).length).toBeGreaterThan(8);
  },
});
