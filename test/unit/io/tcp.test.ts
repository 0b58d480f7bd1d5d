import { createConnection } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { Link, Logger } from '../../../src/base/ports.ts';
import { SystemClock } from '../../../src/io/clock.ts';
import { TcpNetwork } from '../../../src/io/tcp.ts';
import { LoopTurn } from '../../../src/io/turn.ts';
import { Collector, pattern } from './link-contract.ts';
import { networkContract } from './network-contract.ts';

const nothing = () => {};
const logger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => logger };
const clock = new SystemClock();
const settle = <T>(promise: Promise<T>) => promise;

/** A listener, and who comes to it first. */
async function listening(tcp: TcpNetwork, host = '127.0.0.1') {
  let accepted: (link: Link) => void = nothing;
  const incoming = new Promise<Link>((resolve) => {
    accepted = resolve;
  });
  const listener = await tcp.listen({ host, port: 0 }, (link) => accepted(link));
  return { listener, incoming };
}

/** Both ends of a connection. */
async function connected(tcp: TcpNetwork) {
  const { listener, incoming } = await listening(tcp);
  const client = await tcp.dial(listener.endpoint);
  return { listener, client, server: await incoming };
}

describe.each(['onread', 'data'] as const)('TCP read by %s', (reading) => {
  const network = () => new TcpNetwork({ turn: new LoopTurn(), clock, logger, reading, poison: true });

  describe('IPv4', () => {
    networkContract(() => ({
      server: network(),
      client: network(),
      at: { host: '127.0.0.1', port: 0 },
      settle,
    }));
  });

  test('IPv6, and both families on the wildcard', async () => {
    const tcp = network();
    const links: Link[] = [];
    const v6 = await tcp.listen({ host: '::1', port: 0 }, (link) => links.push(link)).catch(() => undefined);
    if (v6 !== undefined) {
      const link = await tcp.dial(v6.endpoint);
      expect(link.remote.host).toBe('::1');
      link.destroy();
      await v6.close();
    }
    const { listener: any, incoming } = await listening(tcp, '');
    const link = await tcp.dial({ host: '127.0.0.1', port: any.endpoint.port });
    const other = await incoming;
    expect(other.remote.host).toBe('127.0.0.1');
    link.destroy();
    other.destroy();
    for (const each of links) each.destroy();
    await any.close();
  });

  test('reads land where this way of reading says', async () => {
    const tcp = network();
    const own: boolean[] = [];
    const isOwn = (chunk: Uint8Array) => own.push(chunk.buffer === tcp.scratch.buffer);
    let done: () => void = nothing;
    const both = new Promise<void>((resolve) => {
      done = resolve;
    });
    const listener = await tcp.listen({ host: '127.0.0.1', port: 0 }, (link) => {
      link.onBytes = (chunk) => {
        isOwn(chunk);
        link.send([pattern(3, 1)]);
        link.close();
      };
    });
    const client = await tcp.dial(listener.endpoint);
    client.onBytes = isOwn;
    client.onClosed = done;
    client.send([pattern(3, 1)]);
    await both;
    expect(own).toEqual(reading === 'onread' ? [true, true] : [false, false]);
    await listener.close();
  });

  test('what one tick sends leaves in one write', async () => {
    const tcp = network();
    const { listener, client, server } = await connected(tcp);
    const atClient = new Collector(client);
    for (let i = 0; i < 50; i++) server.send([pattern(20, i), pattern(30, i)]);
    await atClient.until(() => atClient.bytes === 2500);
    expect(atClient.chunks.length).toBe(1);
    client.destroy();
    server.destroy();
    await listener.close();
  });

  test('what is urgent leaves before what its tick sends at the end, with what was sent on its link before', async () => {
    const turn = new LoopTurn();
    const tcp = new TcpNetwork({ turn, clock, logger, reading, poison: true });
    const urgent = await connected(tcp);
    const both = await connected(tcp);
    const patient = await connected(tcp);
    const atClient = new Collector(both.client);
    // The last one was let in at the end of a tick; what is sent now is to have a whole one.
    await new Promise((resolve) => setTimeout(resolve));
    const left: string[] = [];
    let early: readonly string[] = [];
    const looked = new Promise<void>((resolve) => {
      // Links are asked behind this.
      turn.atEnd(() => {
        early = left.toSorted();
        resolve();
      });
    });
    patient.server.send([pattern(30, 1)], () => left.push('patient'));
    both.server.send([pattern(30, 1)], () => left.push('before'));
    both.server.send([pattern(20, 31)], () => left.push('urgent behind it'), true);
    urgent.server.send([pattern(40, 3)], () => left.push('urgent'), true);
    await looked;
    expect(early).toEqual(['before', 'urgent', 'urgent behind it']);
    await atClient.until(() => atClient.bytes === 50);
    for (const { client, server, listener } of [urgent, both, patient]) {
      client.destroy();
      server.destroy();
      await listener.close();
    }
  });

  test('of connections that come together none is read before all are there', async () => {
    const COUNT = 12;
    // Time stands still: however slow this machine is, nobody has waited long.
    const still = { wallMs: () => 0, monotonicMs: () => 0 };
    const tcp = new TcpNetwork({ turn: new LoopTurn(), clock: still, logger, reading, poison: true });
    const servers: Link[] = [];
    const thereAtRead: number[] = [];
    let done: () => void = nothing;
    const allRead = new Promise<void>((resolve) => {
      done = resolve;
    });
    const listener = await tcp.listen({ host: '127.0.0.1', port: 0 }, (link) => {
      servers.push(link);
      link.onBytes = () => {
        thereAtRead.push(servers.length);
        if (thereAtRead.length === COUNT) done();
      };
    });
    const sockets = Array.from({ length: COUNT }, () => {
      const socket = createConnection(listener.endpoint);
      socket.write('request');
      return socket;
    });
    await allRead;
    expect(thereAtRead).toEqual(Array.from({ length: COUNT }, () => COUNT));
    for (const socket of sockets) socket.destroy();
    for (const server of servers) server.destroy();
    await listener.close();
  });

  test('a peer that ends its side ends the connection, after what was queued for it', async () => {
    const tcp = network();
    const { listener, incoming } = await listening(tcp);
    const socket = createConnection({ ...listener.endpoint, allowHalfOpen: true });
    const got: Buffer[] = [];
    socket.on('data', (chunk) => got.push(chunk));
    const ended = new Promise<void>((resolve) => socket.on('end', resolve));
    socket.end('request');
    const link = await incoming;
    const atServer = new Collector(link);
    link.send([pattern(100, 7)]);
    await ended;
    await atServer.until(() => atServer.closed > 0);
    expect(atServer.reason).toBe(undefined);
    expect(Buffer.concat(got).equals(pattern(100, 7))).toBe(true);
    socket.end();
    await listener.close();
  });

  test('a reset of the peer is told with a reason', async () => {
    const tcp = network();
    const { listener, incoming } = await listening(tcp);
    const socket = createConnection(listener.endpoint);
    const link = await incoming;
    const atServer = new Collector(link);
    socket.resetAndDestroy();
    await atServer.until(() => atServer.closed > 0);
    expect(atServer.reason).toMatchObject({ name: 'NetworkError', code: 'ECONNRESET' });
    await listener.close();
  });

  test('connections leave open files to others: what is over their share is refused with a warning', async () => {
    const warnings: string[] = [];
    const tcp = new TcpNetwork({
      turn: new LoopTurn(),
      clock,
      logger: { ...logger, warn: (message) => warnings.push(message) },
      reading,
      openFilesMax: 4,
    });
    const accepted: Link[] = [];
    let more: () => void = nothing;
    const listener = await tcp.listen({ host: '127.0.0.1', port: 0 }, (link) => {
      accepted.push(link);
      more();
    });
    const dialled = () => {
      const incoming = new Promise<void>((resolve) => {
        more = resolve;
      });
      return Promise.all([network().dial(listener.endpoint), incoming]);
    };
    await dialled();
    const [second] = await dialled();
    const third = await network().dial(listener.endpoint);
    await new Promise<void>((resolve) => {
      third.onClosed = () => resolve();
    });
    expect(accepted).toHaveLength(2);
    expect(warnings).toHaveLength(1);
    const ended = new Promise<void>((resolve) => {
      accepted[1]!.onClosed = () => resolve();
    });
    second.destroy();
    await ended;
    await dialled();
    expect(accepted).toHaveLength(3);
    for (const link of accepted) link.destroy();
    await listener.close();
  });

  test('what is queued shrinks as the other side takes it, before the write is done', async () => {
    const tcp = network();
    const { listener, client, server } = await connected(tcp);
    const size = 64 * 1024 * 1024;
    let received = 0;
    let isSent = false;
    let queuedAtHalf = size;
    const done = new Promise<void>((resolve) => {
      client.onBytes = (chunk) => {
        received += chunk.length;
        if (received > size / 2 && queuedAtHalf === size) {
          expect(isSent).toBe(false);
          queuedAtHalf = server.queuedBytes();
        }
        if (received === size) resolve();
      };
    });
    server.send([Buffer.alloc(size)], () => {
      isSent = true;
    });
    await done;
    expect(queuedAtHalf).toBeLessThanOrEqual(size / 2);
    expect(queuedAtHalf).toBeGreaterThan(0);
    client.destroy();
    server.destroy();
    await listener.close();
  });

  test('small sends of many ticks arrive whole and in order at a side that reads late', async () => {
    const turn = new LoopTurn();
    const tcp = network();
    const { listener, client, server } = await connected(tcp);
    const atClient = new Collector(client);
    client.pause();
    const pieces: Buffer[] = [];
    let sent = 0;
    for (let drained = true; drained && pieces.length < 10_000; ) {
      const piece = pattern(1 + ((pieces.length * 7919) % 60_000), pieces.length);
      pieces.push(piece);
      drained = server.send([piece], () => {
        sent += 1;
        atClient.check();
      });
      await new Promise<void>((resolve) => turn.later(resolve));
    }
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThan(pieces.length);
    expect(server.queuedBytes()).toBeGreaterThan(0);
    client.resume();
    const whole = Buffer.concat(pieces);
    await atClient.until(() => atClient.bytes >= whole.length && sent === pieces.length);
    expect(atClient.all().equals(whole)).toBe(true);
    expect(server.queuedBytes()).toBe(0);
    server.send([pattern(10, 1)]);
    await atClient.until(() => atClient.bytes === whole.length + 10);
    client.destroy();
    server.destroy();
    await listener.close();
  });

  test('errors of listen and dial name the place and the reason', async () => {
    const tcp = network();
    await expect(tcp.listen({ host: '203.0.113.1', port: 0 }, nothing)).rejects.toMatchObject({
      code: 'EADDRNOTAVAIL',
      message: 'cannot listen on 203.0.113.1:0: this machine has no such address',
    });
    const listener = await tcp.listen({ host: '127.0.0.1', port: 0 }, nothing);
    const { port } = listener.endpoint;
    await listener.close();
    await expect(tcp.dial({ host: '127.0.0.1', port })).rejects.toMatchObject({
      code: 'ECONNREFUSED',
      message: `cannot connect to 127.0.0.1:${port}: nothing listens there`,
    });
  });
});
