import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { verifyLog } from '../../src/cli/verify-log-command.ts';
import { type Broker, startBroker } from '../../src/index.ts';
import { realPorts } from '../../src/io/index.ts';
import { defaults } from '../../src/protocol/codec.ts';
import { CreateTopicsRequest, CreateTopicsResponse } from '../../src/protocol/messages/create-topics.ts';
import { ListOffsetsRequest, ListOffsetsResponse } from '../../src/protocol/messages/list-offsets.ts';
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/produce.ts';
import { BatchBuilder } from '../../src/protocol/record-batch/index.ts';
import { WireClient } from './wire-client.ts';

/** Broken off in the middle of work: batches of 100 records in small segments, the marker of a clean stop is missing. */
const TOPIC = 'numbers';
const FOLDER = `${TOPIC}-0`;
const BATCHES = 20;
const RECORDS = 100;

let root: string;
let stopped: string;
let dir: string;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'odradek-verify-'));
  stopped = join(root, 'stopped');
  const broker = await startBroker({ dataDir: stopped });
  await write(broker);
  await broker.stop();
});
beforeEach(() => {
  dir = mkdtempSync(join(root, 'dir-'));
  cpSync(stopped, dir, { recursive: true });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function write(broker: Broker): Promise<void> {
  const client = await WireClient.open(broker.bootstrapServers);
  const configs = [{ name: 'segment.bytes', value: '1048576' }];
  const topics = [{ name: TOPIC, numPartitions: 1, replicationFactor: 1, assignments: [], configs }];
  await client.request(
    CreateTopicsRequest,
    CreateTopicsResponse,
    7,
    defaults(CreateTopicsRequest, { topics, timeoutMs: 5000 }),
  );
  for (let n = 0; n < BATCHES; n += 1) {
    const builder = new BatchBuilder({ baseOffset: 0 });
    for (let i = 0; i < RECORDS; i += 1) {
      builder.append({ timestamp: 1_700_000_000_000n + BigInt(n), value: Buffer.alloc(1500, i) });
    }
    const topicData = [{ name: TOPIC, partitionData: [{ index: 0, records: builder.build() }] }];
    const { responses } = await client.request(
      ProduceRequest,
      ProduceResponse,
      9,
      defaults(ProduceRequest, { acks: -1, timeoutMs: 5000, topicData }),
    );
    expect(responses[0]?.partitionResponses[0]?.errorCode).toBe(0);
  }
  client.close();
}

async function endOffset(broker: Broker): Promise<number | undefined> {
  const client = await WireClient.open(broker.bootstrapServers);
  const topics = [{ name: TOPIC, partitions: [{ partitionIndex: 0, timestamp: -1n }] }];
  const answer = await client.request(
    ListOffsetsRequest,
    ListOffsetsResponse,
    7,
    defaults(ListOffsetsRequest, { replicaId: -1, topics }),
  );
  client.close();
  return answer.topics[0]?.partitions[0]?.offset;
}

async function verify(...args: string[]) {
  let text = '';
  const say = (line: string) => {
    text += line;
  };
  const code = await verifyLog(args, {
    portsOf: (logger) => realPorts({ logger }),
    print: say,
    printError: say,
  });
  return { code, text };
}

const logsIn = (folder: string): string[] =>
  readdirSync(join(dir, folder))
    .filter((name) => name.endsWith('.log'))
    .sort();
const pathOf = (name: string): string => join(dir, FOLDER, name);
const unclean = () => rmSync(join(dir, '.kafka_cleanshutdown'));

/** Every file with its bytes, but for the lock that the program itself takes. */
function contents(): Map<string, string> {
  const all = new Map<string, string>();
  for (const name of readdirSync(dir, { recursive: true, encoding: 'utf8' })) {
    const path = join(dir, name);
    if (name !== '.lock' && statSync(path).isFile()) all.set(name, readFileSync(path).toString('base64'));
  }
  return all;
}

describe('broker verify-log', () => {
  it('finds nothing to do after a clean stop, believing files or reading them', async () => {
    const before = contents();
    expect(await verify(dir)).toMatchObject({ code: 0 });
    const full = await verify(dir, '--full');
    expect(full.text).toMatch(/Nothing is to be done/);
    expect(full.code).toBe(0);
    expect(full.text).toMatch(/1 partition, \d+ segments read/);
    expect((await verify(join(dir, FOLDER))).code).toBe(0);
    expect(contents()).toEqual(before);
  });

  it('says why segments are kept, where it is asked to', async () => {
    const before = contents();
    expect((await verify(dir)).text).not.toContain('keeps segment');
    const { code, text } = await verify(dir, '--kept');
    expect(code).toBe(0);
    expect(text).toMatch(
      /^numbers-0 keeps segment \d+: retention\.bytes is no limit; retention\.ms is \d+, its/m,
    );
    expect((await verify(join(dir, FOLDER), '--kept')).text).toMatch(/What keeps segments is not known/);
    expect(contents()).toEqual(before);
  });

  it('says what a start does after a crash, changes nothing, and does it when asked', async () => {
    const [first = '', ...later] = logsIn(FOLDER);
    const last = later.at(-1) ?? '';
    expect(later.length).toBeGreaterThan(0);
    unclean();
    writeFileSync(join(dir, 'recovery-point-offset-checkpoint'), '0\n0\n');
    truncateSync(pathOf(last), statSync(pathOf(last)).size - 7);
    mkdirSync(join(dir, 'gone-0.0123456789abcdef0123456789abcdef-delete'));
    writeFileSync(pathOf(first.replace('.log', '.log.cleaned')), 'half of a compaction');
    mkdirSync(join(dir, 'forgotten-7'));
    writeFileSync(join(dir, 'forgotten-7', '00000000000000000000.log'), '');
    const before = contents();

    const found = await verify(dir);
    expect(found.code).toBe(2);
    expect(found.text).toMatch(/was not closed in order/);
    expect(found.text).toContain(`${later.length + 1} segments would be read again`);
    expect(found.text).toMatch(new RegExp(`${last} would be cut from \\d+ to \\d+ bytes`));
    expect(found.text).toContain(`${first}.cleaned would be removed`);
    expect(found.text).toMatch(/gone-0\.[0-9a-f]+-delete\n {2}the folder would be removed/);
    expect(found.text).toMatch(
      /forgotten-7\n {2}the folder would be renamed to forgotten-7\.[0-9a-f]+-stray/,
    );
    expect(contents()).toEqual(before);

    const repaired = await verify(dir, '--repair');
    expect(repaired.text).toContain(`${dir} is repaired`);
    expect(repaired.code).toBe(0);
    expect((await verify(dir, '--full')).code).toBe(0);
    expect(readdirSync(dir).filter((name) => /^(gone|forgotten)/.test(name))).toEqual([
      expect.stringMatching(/^forgotten-7\.[0-9a-f]+-stray$/),
    ]);
    const broker = await startBroker({ dataDir: dir });
    try {
      expect(await endOffset(broker)).toBe((BATCHES - 1) * RECORDS);
    } finally {
      await broker.stop();
    }
  });

  it('a log without damage is read again after a crash, and repaired means that it need not be', async () => {
    unclean();
    writeFileSync(join(dir, 'recovery-point-offset-checkpoint'), '0\n0\n');
    expect(await verify(dir)).toMatchObject({ code: 2 });
    expect(await verify(dir, '--repair')).toMatchObject({ code: 0 });
    expect(await verify(dir)).toMatchObject({ code: 0 });
  });

  it('--full finds what a clean stop hides: damage in the middle, a wrong index', async () => {
    const [first = '', second = ''] = logsIn(FOLDER);
    const bytes = readFileSync(pathOf(second));
    bytes[200]! ^= 0xff;
    writeFileSync(pathOf(second), bytes);
    writeFileSync(pathOf(first.replace('.log', '.index')), Buffer.alloc(16, 3));
    expect((await verify(dir)).code).toBe(0);
    const found = await verify(dir, '--full');
    expect(found.code).toBe(2);
    expect(found.text).toContain(`${second} would be cut from ${bytes.length} to 0 bytes`);
    expect(found.text).toContain(`${first.replace('.log', '.index')} would be made anew`);
    expect(found.text).toMatch(/Said meanwhile: cut \d+ bytes \(corrupt\)/);
    expect(await verify(dir, '--full', '--repair')).toMatchObject({ code: 0 });
    expect(await verify(dir, '--full')).toMatchObject({ code: 0 });
  });

  it('checks and repairs the folder of one partition', async () => {
    const last = logsIn(FOLDER).at(-1) ?? '';
    appendFileSync(pathOf(last), Buffer.alloc(33));
    const found = await verify(join(dir, FOLDER));
    expect(found.code).toBe(2);
    expect(found.text).toContain(`${last} would be cut from`);
    expect(await verify(join(dir, FOLDER), '--repair')).toMatchObject({ code: 0 });
    expect(await verify(join(dir, FOLDER))).toMatchObject({ code: 0 });
  });

  it('without the metadata it neither puts folders aside nor takes missing offsets for damage', async () => {
    rmSync(join(dir, '__cluster_metadata-0'), { recursive: true });
    const [, second = ''] = logsIn(FOLDER);
    for (const suffix of ['.log', '.index', '.timeindex', '.snapshot'])
      rmSync(pathOf(second.replace('.log', suffix)), { force: true });
    const found = await verify(dir, '--full');
    expect(found.text).toMatch(/Topics are not known/);
    expect(found.text).not.toMatch(/stray|would be removed|would be cut/);
    expect(found.code).toBe(0);
  });

  it('refuses a directory that a running broker holds, and one that is none of a broker', async () => {
    const broker = await startBroker({ dataDir: dir });
    try {
      for (const path of [dir, join(dir, FOLDER)]) {
        expect(await verify(path, '--repair')).toEqual({
          code: 1,
          text: expect.stringContaining('is in use'),
        });
      }
    } finally {
      await broker.stop();
    }
    expect(await verify(join(dir, 'no-such'))).toEqual({
      code: 1,
      text: expect.stringContaining('no directory'),
    });
    mkdirSync(join(dir, 'empty'));
    expect(await verify(join(dir, 'empty'))).toEqual({
      code: 1,
      text: expect.stringContaining('neither a log dir'),
    });
    await expect(verify()).rejects.toThrow(/one directory/);
    await expect(verify(dir, '--no-such')).rejects.toThrow(/no-such/);
  });
});
