import { beforeEach, expect, test, vi } from 'vitest';
import { Errors } from '../../../src/protocol/errors.ts';
import { contents } from '../metadata/support.ts';
import { Cluster } from './support.ts';

let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.start();
});

const create = (name: string, timeoutMs = 1000) =>
  cluster.send(cluster.controller.createTopics, {
    topics: [cluster.topic(name)],
    timeoutMs,
    validateOnly: false,
  });

test('an answer waits for the disk, and so does one that tells of what is not there yet', async () => {
  cluster.log.held = true;
  const first = create('a');
  await cluster.world.settle();
  const second = create('a');
  const listed = cluster.send(cluster.controller.listPartitionReassignments, { timeoutMs: 1, topics: null });
  await cluster.world.settle();
  expect([first, second, listed].map((one) => one.outcome)).toEqual([undefined, undefined, undefined]);
  expect(cluster.publisher.image.topicsByName.has('a')).toBe(false);
  cluster.log.release();
  await cluster.world.settle();
  expect([first, second, listed].every((one) => one.outcome?.ok === true)).toBe(true);
});

test('the broker knows of a topic before its answer leaves', async () => {
  let known = false;
  const request = { topics: [cluster.topic('a')], timeoutMs: 1000, validateOnly: false };
  cluster.controller.createTopics(request, { apiVersion: 7, nowMs: cluster.world.nowMs }, () => {
    known = cluster.publisher.image.topicsByName.has('a');
  });
  await cluster.world.settle();
  expect(known).toBe(true);
});

test('an answer that waits too long fails by name', async () => {
  cluster.log.held = true;
  const sent = create('a', 2000);
  await cluster.world.advance(1999);
  cluster.controller.tick(cluster.world.nowMs);
  expect(sent.outcome).toBeUndefined();
  await cluster.world.advance(1);
  cluster.controller.tick(cluster.world.nowMs);
  expect(sent.outcome).toMatchObject({ ok: false, error: { code: Errors.REQUEST_TIMED_OUT } });
  cluster.log.release();
  await cluster.world.settle();
  expect(cluster.controller.pendingAnswers).toBe(0);
});

test('a failed write fails what waited and the state goes back to what is on disk', async () => {
  await cluster.create([cluster.topic('kept')]);
  const before = contents(cluster.controller.image);
  cluster.log.failNextAppend = new Error('ENOSPC');
  const lost = create('lost');
  await cluster.world.settle();
  expect(lost.outcome).toMatchObject({ ok: false, error: { code: Errors.NOT_CONTROLLER } });
  expect(create('refused').outcome).toMatchObject({ ok: false, error: { code: Errors.NOT_CONTROLLER } });
  await cluster.world.advance(1000);
  expect(contents(cluster.controller.image)).toEqual(before);
  expect((await cluster.create([cluster.topic('lost')])).topics[0]?.errorCode).toBe(0);
  expect(contents(cluster.publisher.image)).toEqual(contents(cluster.controller.image));
});

test('a throw in replay writes nothing and drops the state for the one on disk', async () => {
  await cluster.create([cluster.topic('kept')]);
  const before = contents(cluster.controller.image);
  const end = cluster.raft.nextOffset;
  cluster.log.held = true;
  const earlier = create('earlier');
  const image = cluster.controller.image;
  const replay = vi.spyOn(image, 'replay').mockImplementation(() => {
    throw new Error('a bug');
  });
  const failed = create('failed');
  replay.mockRestore();
  expect(failed.outcome).toMatchObject({ ok: false, error: { code: Errors.UNKNOWN_SERVER_ERROR } });
  await cluster.world.settle();
  cluster.log.release();
  await cluster.world.settle();
  // What was on its way before is not touched by it.
  expect(earlier.outcome?.ok).toBe(true);
  expect(cluster.raft.nextOffset).toBe(end + 2);
  await cluster.remove('earlier');
  expect(contents(cluster.controller.image)).toEqual(before);
});

test('a bug in a handler is one request’s error', async () => {
  const sent = cluster.send(cluster.controller.createTopics, {
    topics: null as never,
    timeoutMs: 1,
    validateOnly: false,
  });
  expect(sent.outcome).toMatchObject({ ok: false, error: { code: Errors.UNKNOWN_SERVER_ERROR } });
  expect((await cluster.create([cluster.topic('a')])).topics[0]?.errorCode).toBe(0);
});

test('a transaction that a crash cut off is aborted by the next leader', async () => {
  cluster.raft.append([
    { type: 'BeginTransactionRecord', version: 0, data: { name: null } },
    { type: 'TopicRecord', version: 0, data: { name: 'half', topicId: 'AQAAAAAAAAAAAAAAAAAAAA' as never } },
  ]);
  await cluster.world.settle();
  await cluster.restart();
  await cluster.registerAndUnfence();
  expect(cluster.controller.image.topicsByName.has('half')).toBe(false);
  expect(contents(cluster.publisher.image)).toEqual(contents(cluster.controller.image));
});
