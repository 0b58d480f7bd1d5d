import { describe, expect, it } from 'vitest';
import { Errors, ProtocolError } from '../../../src/protocol/errors.ts';
import { FindCoordinatorRequest } from '../../../src/protocol/messages/find-coordinator.ts';
import {
  InitProducerIdRequest,
  InitProducerIdResponse,
} from '../../../src/protocol/messages/init-producer-id.ts';
import {
  OffsetForLeaderEpochRequest,
  OffsetForLeaderEpochResponse,
} from '../../../src/protocol/messages/offset-for-leader-epoch.ts';
import { type ApiRow, serial, staged } from '../../../src/server/api-row.ts';
import type { Call } from '../../../src/server/call.ts';
import { Connection } from '../../../src/server/connection.ts';
import { Dispatcher } from '../../../src/server/dispatch.ts';
import { FrameSlabs } from '../../../src/server/frame-splitter.ts';
import { QUEUED_ANSWER_BYTES_MAX, REQUESTS_IN_FLIGHT_MAX } from '../../../src/server/limits.ts';
import { RequestMemory } from '../../../src/server/request-memory.ts';
import {
  correlationIdsIn,
  FakeLink,
  frameOf,
  framesIn,
  ManualTurn,
  poisonedPool,
  RecordingLogger,
} from './fakes.ts';

const initAnswer = (errorCode: number): InitProducerIdResponse => ({
  throttleTimeMs: 0,
  errorCode,
  producerId: -1n,
  producerEpoch: -1,
  ongoingTxnProducerId: -1n,
  ongoingTxnProducerEpoch: -1,
});

/** A node whose serial API (InitProducerId) and staged API (OffsetForLeaderEpoch) the test answers by hand. */
function world(
  options: {
    concurrency?: number;
    isUrgent?: boolean;
    serialHandle?: () => Promise<InitProducerIdResponse>;
  } = {},
) {
  const serialCalls: {
    call: Call<InitProducerIdResponse>;
    resolve: () => void;
    reject: (e: Error) => void;
  }[] = [];
  const stagedCalls: Call<OffsetForLeaderEpochResponse>[] = [];
  const rows: ApiRow[] = [
    serial<InitProducerIdRequest, InitProducerIdResponse>({
      request: InitProducerIdRequest,
      response: InitProducerIdResponse,
      isUrgent: options.isUrgent ?? false,
      handle: (call) =>
        options.serialHandle?.() ??
        new Promise((resolve, reject) => {
          serialCalls.push({ call, resolve: () => resolve(initAnswer(0)), reject });
        }),
      failure: (_request, code) => initAnswer(code),
    }),
    staged<OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse>({
      request: OffsetForLeaderEpochRequest,
      response: OffsetForLeaderEpochResponse,
      ...(options.concurrency === undefined ? {} : { concurrency: options.concurrency }),
      handle: (call) => {
        stagedCalls.push(call);
        call.ordered();
      },
      failure: () => undefined,
    }),
  ];
  const logger = new RecordingLogger();
  const pool = poisonedPool();
  const slabs = new FrameSlabs(new RequestMemory(pool));
  const turn = new ManualTurn();
  const link = new FakeLink();
  const bugs: string[] = [];
  const dispatcher = new Dispatcher({ rows, pool, logger, bugs: { bug: (name) => bugs.push(name) } });
  const closed: Connection[] = [];
  const host = {
    ...{ frameBytesMax: 1_000_000, pool, slabs, turn, dispatcher, logger },
    onClosed: (one: Connection) => closed.push(one),
  };
  const connection = new Connection(host, link, 'PLAINTEXT', 'broker', 1);
  return { connection, link, turn, pool, slabs, logger, bugs, serialCalls, stagedCalls, closed };
}

const serialFrame = (id: number) =>
  frameOf(InitProducerIdRequest, 1, id, {
    transactionalId: null,
    transactionTimeoutMs: 0,
    producerId: -1n,
    producerEpoch: -1,
    enable2Pc: false,
    keepPreparedTxn: false,
  });
const stagedFrame = (id: number) =>
  frameOf(OffsetForLeaderEpochRequest, 0, id, { replicaId: -2, topics: [] });
const stagedAnswer: OffsetForLeaderEpochResponse = { throttleTimeMs: 0, topics: [] };
const settle = () => new Promise<void>((resolve) => queueMicrotask(() => queueMicrotask(resolve)));

describe('Connection', () => {
  it('starts staged requests before earlier ones are answered, and answers in order with one write', () => {
    const { link, turn, stagedCalls } = world();
    link.receive(Buffer.concat([1, 2, 3].map(stagedFrame)));
    expect(stagedCalls).toHaveLength(3);
    for (const index of [2, 0, 1]) stagedCalls[index]!.answer(stagedAnswer);
    turn.end();
    expect(link.sends).toBe(1);
    expect(correlationIdsIn(link.take())).toEqual([1, 2, 3]);
  });

  it('hands an urgent answer to the link at once, as such and with those before it', async () => {
    const { link, turn, stagedCalls, serialCalls } = world({ isUrgent: true });
    link.receive(Buffer.concat([stagedFrame(1), serialFrame(2)]));
    serialCalls[0]!.resolve();
    await settle();
    expect(link.sends).toBe(0);
    stagedCalls[0]!.answer(stagedAnswer);
    expect([link.sends, link.urgentSends]).toEqual([1, 1]);
    expect(correlationIdsIn(link.take())).toEqual([1, 2]);
    link.receive(stagedFrame(3));
    stagedCalls[1]!.answer(stagedAnswer);
    expect(link.sends).toBe(1);
    turn.end();
    expect([link.sends, link.urgentSends]).toEqual([2, 1]);
  });

  it('ends behind an urgent answer once it was sent', async () => {
    const { connection, link, turn, serialCalls } = world({ isUrgent: true });
    link.receive(serialFrame(1));
    connection.close();
    expect(link.closed).toBe('no');
    serialCalls[0]!.resolve();
    await settle();
    turn.end();
    expect(correlationIdsIn(link.take())).toEqual([1]);
    expect(link.closed).toBe('closed');
  });

  it('holds answers behind one that is not ready', () => {
    const { link, turn, stagedCalls } = world();
    link.receive(Buffer.concat([1, 2].map(stagedFrame)));
    stagedCalls[1]!.answer(stagedAnswer);
    turn.drain();
    expect(link.take()).toHaveLength(0);
    stagedCalls[0]!.answer(stagedAnswer);
    turn.drain();
    expect(correlationIdsIn(link.take())).toEqual([1, 2]);
  });

  it('answers a serial request before the next one starts, and stops reading meanwhile', async () => {
    const { link, turn, serialCalls, stagedCalls } = world();
    link.receive(Buffer.concat([serialFrame(1), stagedFrame(2), serialFrame(3)]));
    expect(serialCalls).toHaveLength(1);
    expect(stagedCalls).toHaveLength(0);
    expect(link.isPaused).toBe(true);
    serialCalls[0]!.resolve();
    await settle();
    expect(stagedCalls).toHaveLength(1);
    expect(serialCalls).toHaveLength(2);
    expect(link.isPaused).toBe(false);
    turn.drain();
    expect(correlationIdsIn(link.take())).toEqual([1]);
  });

  it('pauses the link at the limit of requests under way and goes on below it', () => {
    const { link, turn, stagedCalls } = world();
    const count = REQUESTS_IN_FLIGHT_MAX + 72;
    link.receive(Buffer.concat(Array.from({ length: count }, (_, i) => stagedFrame(i))));
    expect(stagedCalls).toHaveLength(REQUESTS_IN_FLIGHT_MAX);
    expect(link.isPaused).toBe(true);
    for (const call of stagedCalls.slice()) call.answer(stagedAnswer);
    turn.drain();
    link.take();
    expect(stagedCalls).toHaveLength(count);
    for (const call of stagedCalls.slice(REQUESTS_IN_FLIGHT_MAX)) call.answer(stagedAnswer);
    turn.drain();
    expect(link.isPaused).toBe(false);
    expect(correlationIdsIn(link.take())).toHaveLength(72);
  });

  it('starts nothing more while too many answer bytes wait for the first request', () => {
    const { connection, link, stagedCalls } = world();
    const large: OffsetForLeaderEpochResponse = {
      throttleTimeMs: 0,
      topics: [
        {
          topic: 't',
          partitions: Array.from({ length: 30_000 }, (_, partition) => ({
            errorCode: 0,
            partition,
            leaderEpoch: 0,
            endOffset: 0,
          })),
        },
      ],
    };
    for (let id = 0; id < 20; id++) {
      if (!link.isPaused) link.receive(stagedFrame(id));
      // The first one is parked: the answers of those behind it pile up.
      if (id > 0) stagedCalls[id]?.answer(large);
    }
    expect(link.isPaused).toBe(true);
    expect(connection.queuedAnswerBytes).toBeLessThan(QUEUED_ANSWER_BYTES_MAX + 600_000);
    expect(stagedCalls.length).toBeLessThan(6);
  });

  it('pauses while the peer does not take its answers', () => {
    const { link, turn, stagedCalls } = world();
    link.roomy = false;
    link.receive(stagedFrame(1));
    stagedCalls[0]!.answer(stagedAnswer);
    turn.drain();
    expect(link.isPaused).toBe(true);
    link.receive(stagedFrame(2));
    expect(stagedCalls).toHaveLength(1);
    link.roomy = true;
    link.take();
    link.onDrain();
    expect(stagedCalls).toHaveLength(2);
    expect(link.isPaused).toBe(false);
  });

  it('starts an API with a limit of its own only when an earlier one was answered', () => {
    const { link, turn, stagedCalls } = world({ concurrency: 1 });
    link.receive(Buffer.concat([stagedFrame(1), stagedFrame(2)]));
    expect(stagedCalls).toHaveLength(1);
    stagedCalls[0]!.answer(stagedAnswer);
    turn.drain();
    expect(stagedCalls).toHaveLength(2);
  });

  it('keeps the bytes of a request until it is settled', () => {
    const { link, turn, pool, slabs, stagedCalls, closed } = world();
    const frame = stagedFrame(77);
    link.receive(frame);
    expect(stagedCalls[0]!.frameBytes.equals(frame.subarray(4))).toBe(true);
    stagedCalls[0]!.answer(stagedAnswer);
    turn.drain();
    link.take();
    link.lose();
    slabs.close();
    expect(pool.takenBytes()).toBe(0);
    expect(closed).toHaveLength(1);
  });

  it('gives everything back when the connection is lost in the middle', () => {
    const { link, pool, slabs, stagedCalls } = world();
    link.receive(Buffer.concat([stagedFrame(1), stagedFrame(2), stagedFrame(3).subarray(0, 9)]));
    let released = false;
    stagedCalls[1]!.answer(stagedAnswer, () => {
      released = true;
    });
    let gone = false;
    stagedCalls[0]!.onGone = () => {
      gone = true;
    };
    link.lose(new Error('reset'));
    expect(released).toBe(true);
    expect(gone).toBe(true);
    stagedCalls[0]!.answer(stagedAnswer);
    slabs.close();
    expect(pool.takenBytes()).toBe(0);
  });

  it('answers what came before a broken frame, then closes', () => {
    const { link, turn, stagedCalls, logger } = world();
    link.receive(Buffer.concat([stagedFrame(1), Buffer.from('ffffffff', 'hex')]));
    expect(link.closed).toBe('no');
    stagedCalls[0]!.answer(stagedAnswer);
    turn.drain();
    expect(correlationIdsIn(link.take())).toEqual([1]);
    expect(link.closed).toBe('closed');
    expect(logger.lines.join()).toContain("can't have -1 bytes");
  });

  it('closes for an unknown API, an unknown version and a body that can not be read', () => {
    for (const frame of [
      frameOf(FindCoordinatorRequest, 0, 1, { key: 'g', keyType: 0, coordinatorKeys: [] }),
      (() => {
        const bytes = stagedFrame(1);
        bytes.writeInt16BE(99, 6);
        return bytes;
      })(),
      (() => {
        const bytes = stagedFrame(1);
        bytes.writeInt32BE(0x7fff_ffff, bytes.length - 4);
        return bytes;
      })(),
    ]) {
      const { link, turn, stagedCalls } = world();
      link.receive(frame);
      turn.drain();
      expect(link.closed).toBe('closed');
      expect(stagedCalls).toHaveLength(0);
    }
  });

  it('sends nothing for an answered-with-nothing request and closes where one asks for it', () => {
    const { link, turn, stagedCalls } = world();
    link.receive(Buffer.concat([1, 2, 3].map(stagedFrame)));
    stagedCalls[0]!.answerNothing();
    stagedCalls[1]!.closeConnection('acks=0 failed');
    stagedCalls[2]!.answer(stagedAnswer);
    turn.drain();
    expect(link.take()).toHaveLength(0);
    expect(link.closed).toBe('closed');
  });

  it("turns a ProtocolError into the response's own shape and a throw into UNKNOWN_SERVER_ERROR, once counted", async () => {
    for (const [error, code, count] of [
      [new ProtocolError(Errors.INVALID_REQUEST), Errors.INVALID_REQUEST, 0],
      [new TypeError('a bug'), Errors.UNKNOWN_SERVER_ERROR, 1],
    ] as const) {
      const { link, turn, bugs } = world({ serialHandle: () => Promise.reject(error) });
      link.receive(serialFrame(5));
      await settle();
      turn.drain();
      const [frame] = framesIn(link.take());
      expect(frame!.readInt32BE(0)).toBe(5);
      expect(frame!.readInt16BE(8)).toBe(code);
      expect(bugs).toHaveLength(count);
      expect(link.closed).toBe('no');
    }
  });

  it('stops taking requests when it is closed, and ends after the last answer', () => {
    const { connection, link, turn, stagedCalls } = world();
    link.receive(stagedFrame(1));
    connection.close();
    link.receive(stagedFrame(2));
    expect(stagedCalls).toHaveLength(1);
    expect(link.closed).toBe('no');
    stagedCalls[0]!.answer(stagedAnswer);
    turn.drain();
    expect(correlationIdsIn(link.take())).toEqual([1]);
    expect(link.closed).toBe('closed');
  });
});
