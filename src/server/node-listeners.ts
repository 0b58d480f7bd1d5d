import type { Endpoint } from '../base/ports.ts';
import type { ListenerConfig, SecurityProtocol } from '../config/listeners.ts';
import type { MetadataEndpoint } from '../metadata/registrations.ts';
import type { SocketServer } from './socket-server.ts';

/** A listener that is open, and what clients are told of it. */
export interface OpenListener {
  readonly name: string;
  readonly bound: Endpoint;
  readonly advertised: Endpoint | undefined;
  readonly protocol: SecurityProtocol;
}

/** As `listen` takes it: all addresses. */
const EVERYWHERE = '';

const PROTOCOL_IDS: Readonly<Record<SecurityProtocol, number>> = {
  PLAINTEXT: 0,
  SSL: 1,
  SASL_PLAINTEXT: 2,
  SASL_SSL: 3,
};

/** Binds all listeners of the settings. Rejects with NetworkError where an address can't be had. */
export async function bindListeners(
  server: SocketServer,
  listeners: readonly ListenerConfig[],
): Promise<readonly OpenListener[]> {
  const open: OpenListener[] = [];
  for (const listener of listeners) {
    const endpoint = await bind(server, listener);
    const { advertised } = listener;
    open.push({
      name: listener.name,
      bound: { host: listener.host ?? EVERYWHERE, port: endpoint.port },
      advertised:
        advertised === undefined
          ? undefined
          : { host: advertised.host, port: advertised.port === 0 ? endpoint.port : advertised.port },
      protocol: listener.protocol,
    });
  }
  return open;
}

async function bind(
  server: SocketServer,
  { name, host, port, controller }: ListenerConfig,
): Promise<Endpoint> {
  const kind = controller ? 'controller' : 'broker';
  if (host !== 'localhost') {
    const bound = await server.bind(name, kind, { host: host ?? EVERYWHERE, port });
    return bound.endpoint;
  }
  // Clients take localhost for 127.0.0.1 or ::1, as their machine has it: both are served where both exist.
  const { endpoint } = await server.bind(name, kind, { host: '127.0.0.1', port });
  await server.bind(name, kind, { host: '::1', port: endpoint.port }).catch(() => undefined);
  return endpoint;
}

/** What the broker registers with. */
export function registeredEndPoints(open: readonly OpenListener[]): readonly MetadataEndpoint[] {
  return open.flatMap(({ name, advertised, protocol }) =>
    advertised === undefined ? [] : [{ name, ...advertised, securityProtocol: PROTOCOL_IDS[protocol] }],
  );
}
