/** A whole node without sockets, its files in memory: what it costs is its own code. */
import type { Endpoint, Link, Listener, Logger, Network } from '../../src/base/ports.ts';
import { BrokerConfig } from '../../src/config/broker-config.ts';
import { realPorts } from '../../src/io/index.ts';
import { decode, defaults, type Sparse } from '../../src/protocol/codec.ts';
import { decodeResponseHeader, encodeRequestFrame } from '../../src/protocol/headers.ts';
import type { MessageSchema } from '../../src/protocol/schema.ts';
import { Writer } from '../../src/protocol/writer.ts';
import { BrokerNode } from '../../src/server/node.ts';

const LENGTH_BYTES = 4;
const MEMORY_BYTES = 512 * 1024 * 1024;

const nothing = (): void => {};
const logger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => logger };

/** The broker's end of a connection whose other end is the code below. */
export class DirectLink implements Link {
  readonly local: Endpoint = { host: 'here', port: 1 };
  readonly remote: Endpoint = { host: 'here', port: 2 };
  onBytes: (chunk: Uint8Array) => void = nothing;
  onDrain: () => void = nothing;
  onClosed: (reason?: Error) => void = nothing;
  answered: (answer: Uint8Array) => void = nothing;
  readonly #sent: (() => void)[] = [];

  /** The frame as it is, length field included. */
  give(frame: Uint8Array): void {
    for (const sent of this.#sent.splice(0)) sent();
    this.onBytes(frame);
  }

  send(chunks: readonly Uint8Array[], sent?: () => void): boolean {
    if (sent !== undefined) this.#sent.push(sent);
    this.answered(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
    return true;
  }

  pause(): void {}
  resume(): void {}
  queuedBytes(): number {
    return 0;
  }
  close(): void {
    this.onClosed();
  }
  destroy(reason?: Error): void {
    this.onClosed(reason);
  }
}

/** Only its own listeners are there. */
class DirectNetwork implements Network {
  accept: (link: Link) => void = nothing;

  async listen(at: Endpoint, accept: (link: Link) => void): Promise<Listener> {
    this.accept = accept;
    return { endpoint: { host: at.host, port: 1 }, close: async () => {} };
  }

  dial(): Promise<Link> {
    return Promise.reject(new Error('there is nobody else'));
  }
}

export function frameOf<T>(schema: MessageSchema<T>, version: number, given: Sparse<T>): Buffer {
  const writer = new Writer();
  const header = { apiVersion: version, correlationId: 0, clientId: 'bench' };
  encodeRequestFrame(writer, schema, header, defaults(schema, given));
  return Buffer.from(writer.bytes());
}

export function ask<Request, Response>(
  link: DirectLink,
  request: MessageSchema<Request>,
  response: MessageSchema<Response>,
  version: number,
  given: Sparse<Request>,
): Promise<Response> {
  return new Promise((resolve) => {
    link.answered = (answer) => {
      const { bodyAt } = decodeResponseHeader(answer, response.apiKey, version, LENGTH_BYTES);
      resolve(decode(response, version, Buffer.from(answer), bodyAt));
    };
    link.give(frameOf(request, version, given));
  });
}

/** A node that runs, and connections to it. */
export async function directNode(
  connections: number,
): Promise<{ links: DirectLink[]; stop: () => Promise<void> }> {
  const network = new DirectNetwork();
  const node = new BrokerNode({
    ports: { ...realPorts({ logger, memory: MEMORY_BYTES }), network },
    config: BrokerConfig.parse({
      profile: 'dev',
      overrides: { listeners: 'PLAINTEXT://127.0.0.1:1', 'log.dirs': '/data' },
    }),
  });
  await node.start();
  // Without a socket nothing else keeps the process.
  const hold = setInterval(nothing, 1000);
  const links = Array.from({ length: connections }, () => {
    const link = new DirectLink();
    network.accept(link);
    return link;
  });
  const stop = async () => {
    await node.stop();
    clearInterval(hold);
  };
  return { links, stop };
}
