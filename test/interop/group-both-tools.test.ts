import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { Conversation } from '../integration/conversation.ts';
import { ClassicMember } from '../integration/mixed-group-conversation.ts';
import { apacheMissing } from './support/apache.ts';
import { calm, calmRecord } from './support/calm.ts';
import { caughtUp } from './support/caught-up.ts';
import { compareBrokers, type Observations } from './support/compare.ts';
import { WireMember } from './support/consumer-member.ts';
import { until } from './support/run.ts';
import type { Target } from './support/target.ts';
import { ToolSteps } from './support/tool-steps.ts';
import { JavaTools } from './support/tools.ts';
import { makeTopics } from './support/wire.ts';

/**
 * Kafka's own tools and groups of both protocols: what a group sets for itself, every way to reset offsets, and the
 * formatters of `__consumer_offsets`.
 */

const RECORDS = 40;
/** A group of the new protocol, and one of the old. */
const GROUPS = ['consumers', 'classics'] as const;
const FORMATTERS = ['OffsetsMessageFormatter', 'GroupMetadataMessageFormatter'] as const;

class Suite extends ToolSteps {
  /** What has been decided before is acted upon. */
  settled(): Promise<void> {
    return caughtUp(this.target.port);
  }
}

async function observe(target: Target): Promise<Observations> {
  const tools = await JavaTools.start();
  const talk = await Conversation.open(target.bootstrap);
  const folder = mkdtempSync(join(tmpdir(), 'odradek-interop-'));
  try {
    const suite = new Suite(target, tools);
    await makeTopics(target.port, [{ name: 'two', partitions: 2 }, { name: 'other' }]);
    await suite.settled();
    const lines = Array.from({ length: RECORDS }, (_, i) => `k${i}:v${i}\n`).join('');
    const keyed = ['--reader-property', 'parse.key=true', '--reader-property', 'key.separator=:'];
    await suite.run('kafka-console-producer', ['--topic', 'two', ...keyed], lines);
    await makeGroups(talk);
    for (const formatter of FORMATTERS) await formatted(suite, formatter);
    await settings(suite);
    for (const group of GROUPS) await resets(suite, group, folder);
    await endOfGroups(suite);
    return suite.seen;
  } finally {
    rmSync(folder, { recursive: true, force: true });
    talk.close();
    await tools.stop();
  }
}

/** Both have committed, and have no members any more. */
async function makeGroups(talk: Conversation): Promise<void> {
  const consumer = new WireMember(talk, 'consumers', 'member');
  await consumer.join({ subscribedTopicNames: ['two'] });
  await until('its partitions', async () => {
    await consumer.settle();
    return consumer.ownedCount === 2 ? true : undefined;
  });
  await consumer.commit('two', 0, 5);
  await consumer.commit('two', 1, 2);
  await consumer.leave();
  const classic = new ClassicMember(talk, 'classics', 'member');
  await classic.join('joins');
  await classic.sync('is assigned', [0, 1]);
  await classic.commit('commits');
  await classic.leave('leaves');
}

/** The records of the groups, as Kafka's own formatters show them. */
async function formatted(suite: Suite, formatter: string): Promise<void> {
  const { stdout } = await suite.run('kafka-get-offsets', ['--topic', '__consumer_offsets']);
  const end = /^__consumer_offsets:0:(\d+)$/m.exec(stdout)?.[1];
  if (end === undefined) throw new Error(`no end of __consumer_offsets: ${stdout}`);
  const shown = await suite.run('kafka-console-consumer', [
    ...['--topic', '__consumer_offsets', '--partition', '0', '--offset', 'earliest', '--max-messages', end],
    ...['--formatter', `org.apache.kafka.tools.consumer.${formatter}`],
  ]);
  const lines = shown.stdout
    .split('\n')
    .filter((line) => GROUPS.some((group) => line.includes(`"${group}"`)));
  suite.seen[formatter] = { code: shown.code, lines: lines.map(calmRecord) };
}

/** What a group sets for itself. */
async function settings(suite: Suite): Promise<void> {
  const group = (name: string) => ['--entity-type', 'groups', '--entity-name', name];
  const change = async (step: string, name: string, ...args: readonly string[]): Promise<void> => {
    await suite.tool(`settings: ${step}`, 'kafka-configs', '--alter', ...group(name), ...args);
    await suite.settled();
    await suite.tool(`settings: after ${step}`, 'kafka-configs', '--describe', ...group(name));
  };
  const add = (step: string, name: string, added: string) => change(step, name, '--add-config', added);
  const two = 'consumer.session.timeout.ms=50000,consumer.heartbeat.interval.ms=6000';
  await add('two are set', 'consumers', two);
  await add('one is changed', 'consumers', 'consumer.session.timeout.ms=51000');
  await add('of a group that is not there', 'to-come', 'consumer.heartbeat.interval.ms=7000');
  await add('below the minimum', 'consumers', 'consumer.session.timeout.ms=1');
  await add('above the maximum', 'consumers', 'consumer.heartbeat.interval.ms=1000000');
  await add('no number', 'consumers', 'consumer.session.timeout.ms=soon');
  await add('no setting of groups', 'consumers', 'never.was=1');
  await suite.tool('settings: of all groups', 'kafka-configs', '--describe', '--entity-type', 'groups');
  const all = await suite.run('kafka-configs', ['--describe', '--all', ...group('consumers')]);
  suite.seen['settings: all of one group'] = calm(all.stdout).filter((line) => /consumer\.|^All /.test(line));
  await change('one is deleted', 'consumers', '--delete-config', 'consumer.session.timeout.ms');
  await change(
    'one that was not set is deleted',
    'consumers',
    '--delete-config',
    'consumer.session.timeout.ms',
  );
  await change('the last one is deleted', 'to-come', '--delete-config', 'consumer.heartbeat.interval.ms');
  await suite.tool(
    'settings: of all groups at the end',
    'kafka-configs',
    '--describe',
    '--entity-type',
    'groups',
  );
}

/** Every way to say where a group shall go on. */
async function resets(suite: Suite, group: string, folder: string): Promise<void> {
  const reset = async (step: string, ...args: readonly string[]): Promise<void> => {
    const all = ['--reset-offsets', '--group', group, ...args];
    await suite.tool(`${group}: reset ${step}`, 'kafka-consumer-groups', ...all);
  };
  const run = (step: string, ...selector: readonly string[]) =>
    reset(step, '--topic', 'two', ...selector, '--execute');
  await run('to earliest', '--to-earliest');
  await run('to latest', '--to-latest');
  await run('to an offset', '--to-offset', '7');
  await run('to where it is', '--to-current');
  await run('to an offset beyond the end', '--to-offset', '1000');
  await run('by a shift back', '--shift-by', '-3');
  await run('by a shift forth', '--shift-by', '2');
  await run('by a shift beyond the beginning', '--shift-by', '-1000');
  await run('to a time long ago', '--to-datetime', '2000-01-01T00:00:00.000');
  await run('to a time that will come', '--to-datetime', '2100-01-01T00:00:00.000');
  await run('by no duration', '--by-duration', 'PT0S');
  await run('by a long duration', '--by-duration', 'P9000D');
  await reset('of one partition', '--topic', 'two:1', '--to-offset', '4', '--execute');
  await reset('of two topics', '--topic', 'two', '--topic', 'other', '--to-earliest', '--execute');
  await reset('of all topics', '--all-topics', '--to-latest', '--execute');
  await reset('that is only shown', '--all-topics', '--to-earliest', '--dry-run');
  await reset('that is exported', '--topic', 'two', '--to-offset', '6', '--export', '--dry-run');
  const file = join(folder, `${group}.csv`);
  writeFileSync(file, 'two,0,3\ntwo,1,8\n');
  await reset('from a file', '--from-file', file, '--execute');
  const views = [
    ['--offsets'],
    ['--state'],
    ['--state', '--verbose'],
    ['--members'],
    ['--members', '--verbose'],
  ];
  for (const view of views) {
    const args = ['--describe', '--group', group, ...view];
    await suite.tool(`${group}: describe ${view.join(' ')}`, 'kafka-consumer-groups', ...args);
  }
}

async function endOfGroups(suite: Suite): Promise<void> {
  for (const group of GROUPS) {
    const forget = (step: string, topic: string) =>
      suite.tool(
        `${group}: delete offsets ${step}`,
        'kafka-consumer-groups',
        ...[...['--delete-offsets', '--group', group, '--topic', topic]],
      );
    await forget('of a partition', 'two:1');
    await forget('of a topic', 'other');
    await suite.tool(
      `${group}: describe after that`,
      'kafka-consumer-groups',
      '--describe',
      '--group',
      group,
    );
  }
  await suite.tool('list with states', 'kafka-consumer-groups', '--list', '--state');
  await suite.tool('list with types', 'kafka-consumer-groups', '--list', '--type');
  await suite.tool('kafka-groups', 'kafka-groups', '--list');
  await suite.tool(
    'delete both',
    'kafka-consumer-groups',
    ...[...['--delete', '--group', GROUPS[0], '--group', GROUPS[1]]],
  );
  await suite.tool('list at the end', 'kafka-consumer-groups', '--list');
}

await compareBrokers({
  title: 'tools and groups of both kinds',
  missing: await apacheMissing(),
  properties: {
    'group.initial.rebalance.delay.ms': '0',
    'offsets.topic.num.partitions': '1',
    'group.consumer.assignment.interval.ms': '0',
    'group.consumer.min.assignment.interval.ms': '0',
    'group.consumer.max.session.timeout.ms': '600000',
    'group.consumer.session.timeout.ms': '600000',
  },
  observe,
  expectations(seen) {
    const of = (step: string) => seen[step] as { readonly code: number; readonly stdout: readonly string[] };
    for (const formatter of FORMATTERS) {
      expect((seen[formatter] as { readonly lines: readonly string[] }).lines.length).toBeGreaterThan(0);
    }
    expect(of('settings: after one is changed').stdout.join()).toContain('consumer.session.timeout.ms=51000');
    for (const group of GROUPS) {
      expect(of(`${group}: reset to an offset`).stdout.join()).toContain(`${group} two 0 7`);
      expect(of(`${group}: reset from a file`).stdout.join()).toContain(`${group} two 1 8`);
    }
    expect(
      of('list at the end').stdout.filter((line) => GROUPS.some((group) => line.includes(group))),
    ).toEqual([]);
  },
});
