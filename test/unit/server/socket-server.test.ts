import { describe, expect, it } from 'vitest';
import type { Link, Network } from '../../../src/base/ports.ts';
import { BrokerConfig } from '../../../src/config/broker-config.ts';
import type { ApiRow } from '../../../src/server/api-row.ts';
import type { ListenerKind } from '../../../src/server/call.ts';
import { connectionLimitsOf } from '../../../src/server/connection-quotas.ts';
import { Dispatcher } from '../../../src/server/dispatch.ts';
import {
  ANSWER_PACE_BYTES_MIN,
  ANSWER_PACE_MS,
  CONNECTION_WAIT_MS_MAX,
  CONNECTIONS_WAITING_MAX,
  FRAME_STALL_MS_MAX,
  FRAME_SWEEP_MS,
} from '../../../src/server/limits.ts';
import { SocketServer } from '../../../src/server/socket-server.ts';
import { FakeLink, ManualTime, ManualTurn, poisonedPool, RecordingLogger } from './fakes.ts';

/** Answers each request with as many bytes as its body says. */
const echoRow: ApiRow = {
  apiKey: 3,
  name: 'Echo',
  order: 'serial',
  listeners: ['broker', 'controller'],
  concurrency: undefined,
  appends: false,
  isUrgent: false,
  versionMin: 0,
  versionMax: 0,
  versionUnstable: undefined,
  decodeRequest: (_version, reader) => reader.int32(),
  handle: (_call, size) => size,
  failure: () => undefined,
  writeAnswer: (writer, _header, size) => {
    for (let i = 0; i < (size as number); i++) writer.int8(1);
  },
};

/** One at a time, and never answered. */
const parkedRow: ApiRow = {
  ...echoRow,
  apiKey: 4,
  name: 'Parked',
  order: 'staged',
  concurrency: 1,
  handle: (call) => {
    call.releaseFrame();
    call.ordered();
  },
};

/** A request of so many bytes with its length. */
function largeRequest(apiKey: number, size: number): Buffer {
  const bytes = Buffer.alloc(4 + size);
  request(1).copy(bytes);
  bytes.writeInt32BE(size);
  bytes.writeInt16BE(apiKey, 4);
  return bytes;
}

function request(answerBytes: number): Buffer {
  const bytes = Buffer.alloc(4 + 14);
  bytes.writeInt32BE(14);
  bytes.writeInt16BE(3, 4);
  bytes.writeInt16BE(-1, 12);
  bytes.writeInt32BE(answerBytes, 14);
  return bytes;
}

/** A link that tells its end later, as sockets do. */
class ServedLink extends FakeLink {
  readonly #turn: ManualTurn;

  constructor(turn: ManualTurn, host: string) {
    super();
    this.#turn = turn;
    this.remote.host = host;
  }

  override close(): void {
    super.close();
    this.#turn.later(() => this.lose());
  }

  override destroy(): void {
    if (this.closed === 'destroyed') return;
    super.destroy();
    this.#turn.later(() => this.lose());
  }
}

interface Setup {
  readonly settings?: Readonly<Record<string, string>>;
  readonly listeners?: readonly (readonly [string, ListenerKind])[];
  readonly interBrokerListener?: string;
  readonly idleMsMax?: number;
}

async function world({ settings = {}, listeners, interBrokerListener, idleMsMax = -1 }: Setup = {}) {
  const time = new ManualTime();
  const turn = new ManualTurn();
  const pool = poisonedPool();
  const logger = new RecordingLogger();
  const doors = new Map<number, (link: Link) => void>();
  const network: Network = {
    listen: async (at, accept) => {
      doors.set(at.port, accept);
      return { endpoint: at, close: async () => {} };
    },
    dial: () => Promise.reject(new Error('nobody dials here')),
  };
  const current = { config: BrokerConfig.parse({ overrides: settings }), answersPressed: false };
  const server = new SocketServer({
    ports: { clock: time, timers: time, turn, network },
    pool,
    dispatcher: new Dispatcher({ rows: [echoRow, parkedRow], pool, logger }),
    logger,
    frameBytesMax: 100 * 1024 * 1024,
    idleMsMax,
    queuedBytesMax: () => current.config.get('queued.max.request.bytes'),
    limits: connectionLimitsOf(() => current.config),
    areAnswersPressed: () => current.answersPressed,
    interBrokerListener,
  });
  const names = listeners ?? [['PLAINTEXT', 'broker']];
  for (const [port, [name, kind]] of names.entries()) await server.bind(name, kind, { host: '', port });
  server.open();
  const connect = (host = '10.0.0.1', listener = 0) => {
    const link = new ServedLink(turn, host);
    doors.get(listener)!(link);
    return link;
  };
  const change = (dynamic: Readonly<Record<string, string>>) => {
    current.config = current.config.withDynamic({
      broker: new Map(),
      cluster: new Map(Object.entries(dynamic)),
    });
    server.limitsChanged();
    turn.drain();
  };
  const isServed = (link: FakeLink) => link.closed === 'no' && !link.isPaused;
  return { server, time, turn, logger, pool, connect, change, isServed, current };
}

const stateOf = (link: FakeLink) => (link.closed !== 'no' ? 'closed' : link.isPaused ? 'waits' : 'served');

describe('max.connections', () => {
  it('lets the next one in when another has ended, in the order of their arrival', async () => {
    const { connect, turn } = await world({ settings: { 'max.connections': '2' } });
    const links = [1, 2, 3, 4].map(() => connect());
    expect(links.map(stateOf)).toEqual(['served', 'served', 'waits', 'waits']);
    links[0]!.lose();
    turn.drain();
    expect(links.slice(1).map(stateOf)).toEqual(['served', 'served', 'waits']);
  });

  it('drops who left while it waited, and refuses who waited too long, with a warning', async () => {
    const { connect, time, turn, logger } = await world({ settings: { 'max.connections': '1' } });
    const [served, gone, patient] = [connect(), connect(), connect()];
    gone.lose();
    time.advance(CONNECTION_WAIT_MS_MAX + 1);
    const late = connect();
    served.lose();
    turn.drain();
    expect([patient, late].map(stateOf)).toEqual(['closed', 'served']);
    expect(logger.lines.filter((line) => line.startsWith('warn'))).toHaveLength(1);
  });

  it('refuses more than can wait, with one warning for many', async () => {
    const { connect, logger } = await world({ settings: { 'max.connections': '1' } });
    const links = Array.from({ length: CONNECTIONS_WAITING_MAX + 101 }, () => connect());
    expect(links.filter((link) => stateOf(link) === 'waits')).toHaveLength(CONNECTIONS_WAITING_MAX);
    expect(
      links
        .slice(-100)
        .map(stateOf)
        .every((state) => state === 'closed'),
    ).toBe(true);
    expect(logger.lines.filter((line) => line.startsWith('warn'))).toHaveLength(1);
  });

  it('counts each listener by its own limit too', async () => {
    const settings = { 'listener.name.internal.max.connections': '1' };
    const listeners = [
      ['PLAINTEXT', 'broker'],
      ['INTERNAL', 'broker'],
    ] as const;
    const { connect } = await world({ settings, listeners });
    const links = [connect('a', 1), connect('a', 1), connect('a', 0), connect('a', 0)];
    expect(links.map(stateOf)).toEqual(['served', 'waits', 'served', 'served']);
  });

  it('does not keep brokers out where clients have a listener of their own: the client goes that was idle longest', async () => {
    const listeners = [
      ['PLAINTEXT', 'broker'],
      ['INTERNAL', 'broker'],
    ] as const;
    const { connect, turn, logger } = await world({
      settings: { 'max.connections': '2' },
      listeners,
      interBrokerListener: 'INTERNAL',
    });
    const clients = [connect('a', 0), connect('a', 0), connect('a', 0)];
    const broker = connect('b', 1);
    turn.drain();
    expect([...clients, broker].map(stateOf)).toEqual(['closed', 'served', 'waits', 'served']);
    expect(logger.lines.some((line) => line.includes('max.connections'))).toBe(true);
  });

  it('does not count the listener of the controller with those of the broker', async () => {
    const listeners = [
      ['PLAINTEXT', 'broker'],
      ['CONTROLLER', 'controller'],
    ] as const;
    const { connect } = await world({ settings: { 'max.connections': '1' }, listeners });
    expect([connect('a', 0), connect('a', 1), connect('a', 1)].map(stateOf)).toEqual([
      'served',
      'served',
      'waits',
    ]);
  });

  it('acts at once when it is changed', async () => {
    const { connect, change } = await world({ settings: { 'max.connections': '1' } });
    const links = [connect(), connect(), connect()];
    change({ 'max.connections': '3' });
    expect(links.map(stateOf)).toEqual(['served', 'served', 'served']);
    change({ 'max.connections': '1' });
    expect(links.map(stateOf)).toEqual(['closed', 'closed', 'served']);
  });
});

describe('max.connections.per.ip', () => {
  it('closes what is over the limit of its address, and says so', async () => {
    const settings = {
      'max.connections.per.ip': '2',
      'max.connections.per.ip.overrides': '10.0.0.9:1, [0:0:0:0:0:0:0:2]:3',
    };
    const { connect, logger, turn } = await world({ settings });
    const of = (host: string, count: number) =>
      Array.from({ length: count }, () => connect(host)).map(stateOf);
    expect(of('10.0.0.1', 3)).toEqual(['served', 'served', 'closed']);
    expect(of('10.0.0.9', 2)).toEqual(['served', 'closed']);
    expect(of('::2', 4)).toEqual(['served', 'served', 'served', 'closed']);
    expect(logger.lines.filter((line) => line.startsWith('info Refused'))).toHaveLength(3);
    const last = connect('10.0.0.2');
    last.lose();
    turn.drain();
    expect(of('10.0.0.2', 3)).toEqual(['served', 'served', 'closed']);
  });

  it('refuses to start with host names, which are not looked up', () => {
    const overrides = { 'max.connections.per.ip.overrides': 'localhost:1,client.example:5' };
    expect(() => BrokerConfig.parse({ overrides })).toThrow(/client\.example/);
  });
});

describe('max.connection.creation.rate', () => {
  it('lets ten seconds worth in at once and delays the rest, refusing none', async () => {
    const { connect, time } = await world({ settings: { 'max.connection.creation.rate': '5' } });
    const links = Array.from({ length: 60 }, () => connect());
    const served = () => links.filter((link) => stateOf(link) === 'served').length;
    expect(served()).toBe(50);
    time.advance(1000);
    expect(served()).toBeGreaterThan(53);
    expect(served()).toBeLessThan(57);
    time.advance(1500);
    expect(served()).toBe(60);
  });

  it('does not let one in early whose predecessor left while it was held up', async () => {
    const { connect, time } = await world({ settings: { 'max.connection.creation.rate': '1' } });
    for (let i = 0; i < 10; i++) connect();
    const gone = connect();
    gone.lose();
    time.advance(900);
    const next = connect();
    time.advance(100);
    expect(stateOf(next)).toBe('waits');
    time.advance(1000);
    expect(stateOf(next)).toBe('served');
  });

  it('holds one listener up without the other', async () => {
    const settings = { 'listener.name.internal.max.connection.creation.rate': '1' };
    const listeners = [
      ['PLAINTEXT', 'broker'],
      ['INTERNAL', 'broker'],
    ] as const;
    const { connect } = await world({ settings, listeners });
    const inside = Array.from({ length: 15 }, () => connect('a', 1));
    expect(inside.filter((link) => stateOf(link) === 'waits')).toHaveLength(5);
    expect(stateOf(connect('a', 0))).toBe('served');
  });
});

describe('connections.max.idle.ms', () => {
  it('closes who neither sends nor takes anything for so long, and nobody else', async () => {
    const { connect, time, turn } = await world({ idleMsMax: 60_000 });
    const [idle, sending, reading] = [connect(), connect(), connect()];
    reading.receive(request(50_000));
    turn.drain();
    let left = 50_000;
    reading.queuedBytes = () => left;
    for (let ms = 0; ms < 5 * 60_000; ms += 20_000) {
      sending.receive(request(1));
      turn.drain();
      sending.take();
      left -= 10;
      time.advance(20_000);
      turn.drain();
    }
    expect([idle, sending, reading].map(stateOf)).toEqual(['closed', 'served', 'served']);
  });

  it('is never too long where it is negative', async () => {
    const { connect, time } = await world({ idleMsMax: -1 });
    const idle = connect();
    time.advance(1e9);
    expect(stateOf(idle)).toBe('served');
  });
});

describe('memory', () => {
  it('stops reading from a connection while its frame waits for memory, and closes those that stall', async () => {
    const { connect, time, turn, logger } = await world();
    const announce = Buffer.alloc(4 + 16 * 1024);
    announce.writeInt32BE(90 * 1024 * 1024);
    const links = Array.from({ length: 100 }, () => {
      const link = connect();
      link.receive(announce);
      return link;
    });
    const waiting = links.filter((link) => stateOf(link) === 'waits').length;
    expect(waiting).toBeGreaterThan(20);
    // Others go on.
    const other = connect();
    other.receive(request(5));
    turn.drain();
    expect(other.take()).toHaveLength(5);
    // Each turn of stalled ones makes room for the next.
    for (let ms = 0; ms < 4 * FRAME_STALL_MS_MAX; ms += FRAME_SWEEP_MS) {
      time.advance(FRAME_SWEEP_MS);
      turn.drain();
    }
    expect(links.map(stateOf).every((state) => state === 'closed')).toBe(true);
    expect(stateOf(other)).toBe('served');
    expect(logger.lines.filter((line) => line.startsWith('info Closing'))).toHaveLength(100);
  });

  it('keeps peers that do not take their answers while there is memory, and closes them when there is not', async () => {
    const { connect, time, turn, current } = await world();
    const [stuck, slow, done] = [connect(), connect(), connect()];
    const left = { stuck: 400_000, slow: 400_000 };
    stuck.receive(request(left.stuck));
    slow.receive(request(left.slow));
    done.receive(request(10));
    turn.drain();
    done.take();
    stuck.queuedBytes = () => left.stuck;
    slow.queuedBytes = () => left.slow;
    time.advance(10 * ANSWER_PACE_MS);
    expect([stuck, slow, done].map(stateOf)).toEqual(['served', 'served', 'served']);
    current.answersPressed = true;
    for (let i = 0; i < 3; i++) {
      left.slow -= ANSWER_PACE_BYTES_MIN;
      time.advance(ANSWER_PACE_MS);
      turn.drain();
    }
    expect([stuck, slow, done].map(stateOf)).toEqual(['closed', 'served', 'served']);
  });

  it('closes who keeps a large request behind one that is not answered while others wait for its memory', async () => {
    const settings = { 'queued.max.request.bytes': '8388608', 'socket.request.max.bytes': '8388608' };
    const { connect, time, turn } = await world({ settings });
    const [hog, other, small] = [connect(), connect(), connect()];
    const send = (link: FakeLink, bytes: Buffer) => {
      for (let at = 0; at < bytes.length && !link.isPaused; at += 65_536) {
        link.receive(bytes.subarray(at, at + 65_536));
        turn.drain();
      }
    };
    for (const link of [hog, small]) send(link, largeRequest(4, 100));
    send(small, largeRequest(4, 1000));
    send(hog, largeRequest(4, 7_000_000));
    time.advance(10 * ANSWER_PACE_MS);
    turn.drain();
    expect([hog, small].map(stateOf)).toEqual(['waits', 'waits']);
    send(other, largeRequest(3, 2_000_000).subarray(0, 65_536));
    expect(stateOf(other)).toBe('waits');
    time.advance(2 * ANSWER_PACE_MS);
    turn.drain();
    expect([hog, small, other].map(stateOf)).toEqual(['closed', 'waits', 'served']);
  });

  it('has given everything back when it is closed', async () => {
    const { server, connect, time, turn, pool } = await world();
    for (const size of [4, 100, 5_000, 40_000, 3_000_000]) {
      const link = connect();
      const bytes = Buffer.alloc(size);
      bytes.writeInt32BE(4_000_000);
      link.receive(bytes);
    }
    connect().receive(request(5));
    const closed = server.close();
    for (let i = 0; i < 400; i++) {
      turn.drain();
      time.advance(20);
      await Promise.resolve();
    }
    await closed;
    turn.drain();
    expect(pool.takenBytes()).toBe(0);
    expect(server.requestBytes).toBe(0);
  });
});
