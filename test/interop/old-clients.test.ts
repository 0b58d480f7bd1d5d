import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { apacheMissing, clientsClassPath, JVM_FLAGS, OLD_KAFKA_VERSION } from './support/apache.ts';
import { compareBrokers, type Observations } from './support/compare.ts';
import { buildGo } from './support/go.ts';
import { modernBatch } from './support/old-formats-golden.ts';
import { npmPackages, type Package, pythonPackages } from './support/packages.ts';
import { runSteps } from './support/steps.ts';
import type { Target } from './support/target.ts';
import { makeTopics, produce, produceAnswer, RawConnection } from './support/wire.ts';

/**
 * Clients of 2015 to 2017, and newer ones that speak as they did, write and read with each codec they have, here and at
 * Apache Kafka 3.9.
 */

const here = (...names: string[]): string => join(import.meta.dirname, ...names);

interface Client {
  readonly name: string;
  readonly missing: string | undefined;
  readonly topics: readonly string[];
  run(target: Target): Promise<Observations>;
}

const missingOf = (found: Package | { readonly program: string }): string | undefined =>
  'missing' in found ? found.missing : undefined;
const withCodecs = (prefix: string, codecs: readonly string[]): string[] =>
  codecs.map((codec) => `${prefix}-${codec}`);
const ALL = ['none', 'gzip', 'snappy', 'lz4'] as const;

async function kafkaPython(): Promise<Client> {
  const found = await pythonPackages('kafka-python-2.2.15', [
    'kafka-python==2.2.15',
    'lz4==4.4.5',
    'python-snappy==0.7.3',
    'xxhash==4.1.0',
  ]);
  return {
    name: 'kafka-python, api_version (0, 9) and (0, 10)',
    missing: missingOf(found),
    topics: ['0.9', '0.10'].flatMap((version) => withCodecs(`python-${version}`, ALL)),
    run: (target) => {
      if ('missing' in found) throw new Error(found.missing);
      return runSteps('python3', [here('python', 'old_clients.py'), found.folder, target.bootstrap]);
    },
  };
}

/** The snappy of kafka-node is native code that has to be compiled; another implementation takes its place. */
function replaceSnappy(folder: string): void {
  writeFileSync(join(folder, 'package.json'), '{ "name": "snappy", "main": "main.js" }');
  writeFileSync(
    join(folder, 'main.js'),
    `const s = require('snappyjs');
exports.compress = (bytes, done) => done(null, s.compress(bytes));
exports.uncompress = (bytes, done) => done(null, s.uncompress(bytes));
`,
  );
}

async function kafkaNode(): Promise<Client> {
  const found = await npmPackages('kafka-node-5.0.0', ['kafka-node@5.0.0', 'snappyjs@0.7.0']);
  if ('folder' in found) replaceSnappy(join(found.folder, 'node_modules', 'snappy'));
  return {
    name: 'kafka-node',
    missing: missingOf(found),
    topics: withCodecs('node', ALL.slice(0, 3)),
    run: (target) => {
      if ('missing' in found) throw new Error(found.missing);
      return runSteps(process.execPath, [here('node', 'kafka-node.cjs'), found.folder, target.bootstrap]);
    },
  };
}

async function sarama(): Promise<Client> {
  const built = await buildGo();
  return {
    name: 'sarama as for 0.8.2 and 0.10.2',
    missing: missingOf(built),
    topics: [...withCodecs('sarama-0.8.2', ALL.slice(0, 3)), ...withCodecs('sarama-0.10.2', ALL)],
    run: (target) => {
      if ('missing' in built) throw new Error(built.missing);
      return runSteps(built.program, [target.bootstrap, 'old']);
    },
  };
}

async function javaClients(version: string): Promise<Client> {
  return {
    name: `kafka-clients ${version}`,
    missing: await apacheMissing(OLD_KAFKA_VERSION),
    topics: withCodecs(`java-${version}`, ALL),
    run: async (target) => {
      const classPath = await clientsClassPath(version);
      const args = ['-cp', classPath, here('java', 'OldClients.java'), target.bootstrap, `java-${version}`];
      return runSteps('java', [...JVM_FLAGS, ...args]);
    },
  };
}

const clients = [
  await kafkaPython(),
  await kafkaNode(),
  await sarama(),
  await javaClients('0.10.2.2'),
  await javaClients('0.11.0.3'),
];
const present = clients.filter((client) => client.missing === undefined);
for (const { name, missing } of clients) {
  if (missing !== undefined) test.skip(`${name} (SKIPPED: ${missing})`, () => {});
}

await compareBrokers({
  title: 'clients before 0.11',
  missing: present.length === 0 ? 'none of the clients is there' : undefined,
  apacheVersion: OLD_KAFKA_VERSION,
  properties: { 'auto.create.topics.enable': 'false' },
  async observe(target) {
    const modern = withCodecs('modern', ALL);
    await makeTopics(
      target.port,
      [...modern, ...present.flatMap(({ topics }) => topics)].map((name) => ({ name })),
    );
    const connection = await RawConnection.open(target.port);
    for (const [i, topic] of modern.entries()) {
      const request = produce(7, [{ topic, records: modernBatch(ALL[i]!) }]);
      expect(produceAnswer(7, await connection.ask(request))[0]?.errorCode).toBe(0);
    }
    connection.close();
    const seen: Observations = {};
    for (const client of present) Object.assign(seen, await client.run(target));
    return seen;
  },
  expectations(seen) {
    const offsets = [0, 1, 2, 3, 4, 5];
    const times = offsets.map((i) => 1_700_000_000_000 + i);
    for (const { topics, name } of present) {
      for (const topic of topics) {
        const consumed = seen[`${topic} consume`] as [number][] | undefined;
        if (name.startsWith('sarama')) {
          expect([topic, seen[`${topic} produce`]]).toEqual([topic, [null, ...offsets]]);
          continue;
        }
        const count = name === 'kafka-node' ? 5 : 6;
        expect([topic, consumed?.map(([offset]) => offset)]).toEqual([topic, offsets.slice(0, count)]);
        if (name.startsWith('kafka-clients')) {
          expect(consumed?.map((row) => (row as unknown[])[3])).toEqual(times);
        }
      }
    }
  },
});
