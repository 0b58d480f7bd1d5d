import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Ports, Storage } from '../../src/base/ports.ts';
import { verifyLog } from '../../src/cli/verify-log-command.ts';
import { realPorts } from '../../src/io/index.ts';
import { SeededRandom } from '../unit/protocol/random-values.ts';
import { silentLogger } from '../unit/server/fakes.ts';

/** Folders of Apache Kafka with damage of every kind: what is repaired once is sound, and stays as it is. */
const FIXTURE = join(import.meta.dirname, '..', 'fixtures', 'log', 'apache-4.3');
const FOLDER = 'fix-ture-0';
const SEED = Number(process.env['DAMAGE_SEED'] ?? 11);
const ROUNDS = 60;
const DIR = '/data';

const put = (storage: Storage, path: string, bytes: Uint8Array): void => {
  const file = storage.open(path, 'truncate');
  if (bytes.length > 0) file.write([bytes], 0);
  file.close();
};

const read = (storage: Storage, path: string): Buffer => {
  const file = storage.open(path, 'read');
  const bytes = Buffer.alloc(file.size());
  file.read(bytes, 0);
  file.close();
  return bytes;
};

function copyOfFixture(): Ports {
  const ports = realPorts({ logger: silentLogger, memory: true });
  const { storage } = ports;
  storage.makeDir(`${DIR}/${FOLDER}`);
  for (const name of readdirSync(FIXTURE)) {
    if (name.endsWith('-checkpoint')) put(storage, `${DIR}/${name}`, readFileSync(join(FIXTURE, name)));
  }
  for (const name of readdirSync(join(FIXTURE, FOLDER))) {
    put(storage, `${DIR}/${FOLDER}/${name}`, readFileSync(join(FIXTURE, FOLDER, name)));
  }
  return ports;
}

/** One piece of damage to one file; returns what it was, for the message of a failure. */
function damage(storage: Storage, random: SeededRandom): string {
  const folder = `${DIR}/${FOLDER}`;
  // No broker gives a file two of those endings.
  const names = storage.list(folder).map((entry) => entry.name);
  const name = random.pick(names.filter((one) => !/\.(deleted|cleaned|swap|tmp)$/.test(one)));
  const path = `${folder}/${name}`;
  const bytes = read(storage, path);
  const kind = random.below(7);
  if (kind === 0) storage.removeNow(path);
  if (kind === 1) put(storage, path, bytes.subarray(0, random.below(bytes.length + 1)));
  if (kind === 2) put(storage, path, Buffer.concat([bytes, Buffer.alloc(1 + random.below(100))]));
  if (kind === 3) put(storage, path, Buffer.concat([bytes, random.bytes(1 + random.below(100))]));
  if (kind === 4 && bytes.length > 0) {
    bytes[random.below(bytes.length)] = random.below(256);
    put(storage, path, bytes);
  }
  const suffix = random.pick(['.deleted', '.cleaned', '.swap', '.tmp']);
  if (kind === 5) put(storage, path + suffix, bytes);
  if (kind === 6) storage.rename(path, path + suffix);
  return `${['remove', 'cut', 'zeroes behind', 'garbage behind', 'flip', `copy to ${suffix}`, `rename to ${suffix}`][kind]} ${name}`;
}

test('repaired once is sound', async () => {
  console.log(`damaged logs: seed ${SEED} (DAMAGE_SEED)`);
  const random = new SeededRandom(SEED);
  for (let round = 0; round < ROUNDS; round += 1) {
    const ports = copyOfFixture();
    const done = Array.from({ length: 1 + random.below(4) }, () => damage(ports.storage, random));
    let text = '';
    const verify = async (...args: string[]): Promise<number> => {
      text = '';
      const say = (line: string) => {
        text += line;
      };
      const portsOf = () => ports;
      return verifyLog([DIR, ...args], { portsOf, print: say, printError: say });
    };
    const what = () => `seed ${SEED}, round ${round}: ${done.join(', ')}\n${text}`;
    expect([0, 2], what()).toContain(await verify('--full'));
    const found = text;
    expect(await verify('--full', '--repair'), what()).toBe(0);
    expect(await verify(), what()).toBe(0);
    expect(await verify('--full'), `${what()}found before:\n${found}`).toBe(0);
  }
});
