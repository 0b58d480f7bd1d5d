import { describe, expect, test } from 'vitest';
import { type Endpoint, type Link, type Network, NetworkError } from '../../../src/base/ports.ts';
import { Collector, linkContract, pattern } from './link-contract.ts';

export interface NetworkUnderTest {
  readonly server: Network;
  readonly client: Network;
  /** Where to listen; port 0. */
  readonly at: Endpoint;
  settle<T>(promise: Promise<T>): Promise<T>;
}

async function openPair({ server, client, at, settle }: NetworkUnderTest): Promise<[Link, Link]> {
  let accepted: (link: Link) => void = () => {};
  const incoming = new Promise<Link>((resolve) => {
    accepted = resolve;
  });
  const listener = await settle(server.listen(at, (link) => accepted(link)));
  const link = await settle(client.dial({ host: at.host, port: listener.endpoint.port }));
  const other = await settle(incoming);
  await settle(listener.close());
  return [link, other];
}

/** What every {@link Network} keeps to. */
export function networkContract(make: () => NetworkUnderTest): void {
  describe('links from the dialling side', () => {
    linkContract(() => {
      const network = make();
      return { open: () => openPair(network), settle: network.settle };
    });
  });

  describe('links from the accepting side', () => {
    linkContract(() => {
      const network = make();
      const open = async () => (await openPair(network)).reverse() as [Link, Link];
      return { open, settle: network.settle };
    });
  });

  test('both ends know each other', async () => {
    const network = make();
    const [a, b] = await openPair(network);
    const atB = new Collector(b);
    expect(a.remote).toEqual(b.local);
    expect(a.local).toEqual(b.remote);
    expect(a.remote.host).toBe(network.at.host);
    a.destroy();
    await network.settle(atB.until(() => atB.closed > 0));
  });

  test('a port is bound once, and free again after close', async () => {
    const { server, client, at, settle } = make();
    const first = await settle(server.listen(at, () => {}));
    expect(first.endpoint.port).toBeGreaterThan(0);
    const second = settle(server.listen(first.endpoint, () => {}));
    await expect(second).rejects.toThrow(NetworkError);
    await expect(second).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await settle(first.close());
    await settle(first.close());
    await expect(settle(client.dial(first.endpoint))).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    const third = await settle(server.listen(first.endpoint, () => {}));
    await settle(third.close());
  });

  test('links outlive the listener', async () => {
    const network = make();
    const [a, b] = await openPair(network);
    new Collector(a);
    const atB = new Collector(b);
    a.send([pattern(1000, 1)]);
    await network.settle(atB.until(() => atB.bytes === 1000));
    a.close();
    await network.settle(atB.until(() => atB.closed > 0));
  });

  test('many connections at once keep their bytes apart', async () => {
    const { server, client, at, settle } = make();
    const echoes: Link[] = [];
    const listener = await settle(
      server.listen(at, (link) => {
        echoes.push(link);
        link.onBytes = (chunk) => void link.send([Buffer.from(chunk)]);
      }),
    );
    const links = await settle(
      Promise.all(Array.from({ length: 40 }, () => client.dial({ ...at, port: listener.endpoint.port }))),
    );
    const all = links.map((link, i) => {
      const collector = new Collector(link);
      const sent = pattern(2000 + i * 331, i);
      for (let at = 0; at < sent.length; at += 500) link.send([sent.subarray(at, at + 500)]);
      return { link, collector, sent };
    });
    for (const { link, collector, sent } of all) {
      await settle(collector.until(() => collector.bytes >= sent.length));
      expect(collector.all().equals(sent)).toBe(true);
      link.destroy();
    }
    await settle(listener.close());
    for (const link of echoes) link.destroy();
  });
}
