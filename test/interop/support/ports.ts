import { connect, createServer, type Server } from 'node:net';

/**
 * Below the ports that systems give to connections by themselves (32768 and up), so that no client takes the port of a broker
 * that is about to start again.
 */
const FIRST = 12_000;
const LAST = 32_000;

/** The broker's port, its controller's, one to spare, and one that this process holds as long as it lives. */
const BLOCK = 4;

/**
 * A port for a broker, with the next two free as well. Other runs on the same machine, at the same time too, get others: each
 * process keeps the last port of every block that it was given. Processes begin to search at different places.
 */
export async function freePort(): Promise<number> {
  const blocks = (LAST - FIRST) / BLOCK;
  for (let tries = 0; tries < blocks; tries++) {
    const port = FIRST + ((process.pid * 37 + tries) % blocks) * BLOCK;
    const guard = await listen(port + BLOCK - 1);
    if (guard === undefined) continue;
    guard.unref();
    if (await areFree(Array.from({ length: BLOCK - 1 }, (_, at) => port + at))) return port;
    guard.close();
  }
  throw new Error(`no ${BLOCK} ports in a row are free between ${FIRST} and ${LAST}`);
}

async function areFree(ports: readonly number[]): Promise<boolean> {
  for (const port of ports) {
    // Somebody may listen at all addresses, which does not keep us from listening at this one.
    if (await answers(port)) return false;
    const server = await listen(port);
    if (server === undefined) return false;
    await new Promise((resolve) => server.close(resolve));
  }
  return true;
}

/** Undefined when the port is taken. */
function listen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', () => resolve(undefined));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => resolve(server));
  });
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
