import { isIpv4, isIpv6, isWildcard } from './addresses.ts';
import { ConfigError, type Origin } from './config-error.ts';

export type SecurityProtocol = 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL';

const securityProtocols: readonly string[] = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'];

/** One address to listen on. */
export interface ListenerConfig {
  /** In capitals, as Kafka compares and shows it. */
  readonly name: string;
  readonly protocol: SecurityProtocol;
  /** Undefined: all addresses of the machine. */
  readonly host: string | undefined;
  /** 0: any free port. */
  readonly port: number;
  /** Serves the controller; never shown to clients. */
  readonly controller: boolean;
  /** Used by brokers among themselves. */
  readonly interBroker: boolean;
  /** What clients are told; undefined where they are not told of it. Port 0 stands for the port that was bound. */
  readonly advertised: { readonly host: string; readonly port: number } | undefined;
}

/** The settings that listeners come from, as `BrokerConfig` reads them. */
export interface ListenerSettings {
  readonly listeners: readonly string[];
  readonly advertisedListeners: readonly string[] | null;
  readonly securityProtocolMap: string;
  readonly controllerListenerNames: readonly string[];
  readonly interBrokerListenerName: string | null;
  readonly interBrokerSecurityProtocol: string;
  /** Stands for "this machine" where a listener on all addresses is not advertised otherwise. */
  readonly hostName: string;
  /** Which settings were given, and where. */
  originOf(name: string): Origin;
  isGiven(name: string): boolean;
  /** Whether a wildcard address may be listened on without an advertised one, and the controller need not listen. */
  readonly lenient: boolean;
}

interface ParsedListener {
  readonly name: string;
  readonly host: string | undefined;
  readonly port: number;
}

/** Every listener with all that follows from the settings about listeners. Throws {@link ConfigError}. */
export function parseListeners(settings: ListenerSettings): readonly ListenerConfig[] {
  const protocols = protocolMap(settings);
  const controllerNames = new Set(settings.controllerListenerNames.map((name) => name.toUpperCase()));
  const bound = parseList('listeners', settings.listeners, settings);
  refuseSharedPorts(bound, settings);
  const advertised =
    settings.advertisedListeners === null
      ? undefined
      : parseList('advertised.listeners', settings.advertisedListeners, settings);
  const result: ListenerConfig[] = [];
  const interBrokerName = interBrokerListener(settings, protocols);
  for (const listener of bound) {
    const controller = controllerNames.has(listener.name);
    result.push({
      ...listener,
      protocol: protocolOf(listener.name, 'listeners', protocols, settings),
      controller,
      interBroker: !controller && listener.name === interBrokerName,
      advertised: advertisedOf(listener, advertised, controller, settings),
    });
  }
  checkControllerListeners(controllerNames, bound, settings);
  checkAdvertised(advertised, result, controllerNames, interBrokerName, settings);
  refuseUnserved(result, settings);
  return result;
}

function fail(
  setting: string,
  value: string,
  problem: string,
  allowed: string,
  settings: ListenerSettings,
): never {
  throw new ConfigError(`${setting}=${value}: ${problem}`, {
    setting,
    value,
    allowed,
    origin: settings.originOf(setting),
  });
}

function parseList(
  setting: string,
  entries: readonly string[],
  settings: ListenerSettings,
): ParsedListener[] {
  const value = entries.join(',');
  const parsed = entries.map((entry) => {
    const match = /^(.*):\/\/\[?([0-9a-zA-Z\-%._:]*)\]?:(-?[0-9]+)$/.exec(entry);
    const port = Number(match?.[3]);
    if (match === null || port < 0 || port > 65535) {
      const problem = match === null ? `can't read ${entry}` : `${port} is no port`;
      return fail(setting, value, problem, 'a list of NAME://host:port, the port from 0 to 65535', settings);
    }
    return { name: (match[1] ?? '').toUpperCase(), host: match[2] === '' ? undefined : match[2], port };
  });
  const names = parsed.map((listener) => listener.name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) {
    fail(setting, value, `the name ${twice} stands twice`, 'a different name for each listener', settings);
  }
  return parsed;
}

/** Two listeners may share a port only where one is an IPv4 and the other an IPv6 address. */
function refuseSharedPorts(bound: readonly ParsedListener[], settings: ListenerSettings): void {
  const byPort = groupByPort(bound);
  for (const [port, sharing] of byPort) {
    if (port === 0 || sharing.length === 1) continue;
    const v4 = sharing.filter(({ host }) => host !== undefined && isIpv4(host));
    const v6 = sharing.filter(({ host }) => host !== undefined && isIpv6(host));
    if (sharing.length === 2 && v4.length === 1 && v6.length === 1) continue;
    fail(
      'listeners',
      settings.listeners.join(','),
      `the port ${port} stands twice`,
      'a different port for each listener, or one port with an IPv4 and an IPv6 address',
      settings,
    );
  }
}

function groupByPort(bound: readonly ParsedListener[]): Map<number, ParsedListener[]> {
  const byPort = new Map<number, ParsedListener[]>();
  for (const listener of bound) {
    const sharing = byPort.get(listener.port);
    if (sharing === undefined) byPort.set(listener.port, [listener]);
    else sharing.push(listener);
  }
  return byPort;
}

function protocolMap(settings: ListenerSettings): ReadonlyMap<string, SecurityProtocol> {
  const setting = 'listener.security.protocol.map';
  const protocols = new Map<string, SecurityProtocol>();
  for (const entry of settings.securityProtocolMap.split(/\s*,\s*/)) {
    if (entry === '') continue;
    const colon = entry.lastIndexOf(':');
    const protocol = entry.slice(colon + 1).trim();
    if (colon < 1 || !securityProtocols.includes(protocol)) {
      const problem = colon < 1 ? `can't read ${entry}` : `there is no security protocol ${protocol}`;
      const allowed = `a list of NAME:PROTOCOL, the protocol one of ${securityProtocols.join(', ')}`;
      fail(setting, settings.securityProtocolMap, problem, allowed, settings);
    }
    protocols.set(entry.slice(0, colon).trim().toUpperCase(), protocol as SecurityProtocol);
  }
  if (settings.isGiven(setting)) return protocols;
  const names = [
    ...settings.controllerListenerNames,
    ...settings.listeners.map((entry) => entry.split(':')[0] ?? ''),
  ];
  const secure = names.some((name) => securityProtocols.indexOf(name.toUpperCase()) > 0);
  if (secure) return protocols;
  for (const name of settings.controllerListenerNames) protocols.set(name.toUpperCase(), 'PLAINTEXT');
  return protocols;
}

function protocolOf(
  name: string,
  setting: string,
  protocols: ReadonlyMap<string, SecurityProtocol>,
  settings: ListenerSettings,
): SecurityProtocol {
  const protocol = protocols.get(name);
  if (protocol !== undefined) return protocol;
  throw new ConfigError(
    `The listener ${name} of ${setting} has no security protocol; add ${name}:PLAINTEXT to listener.security.protocol.map`,
    { setting, value: name, allowed: [...protocols.keys()].join(', '), origin: settings.originOf(setting) },
  );
}

function interBrokerListener(
  settings: ListenerSettings,
  protocols: ReadonlyMap<string, SecurityProtocol>,
): string {
  const { interBrokerListenerName: name } = settings;
  if (name === null) return settings.interBrokerSecurityProtocol;
  if (settings.isGiven('security.inter.broker.protocol')) {
    const problem = 'it excludes security.inter.broker.protocol';
    fail('inter.broker.listener.name', name, problem, 'only one of the two', settings);
  }
  protocolOf(name.toUpperCase(), 'inter.broker.listener.name', protocols, settings);
  return name.toUpperCase();
}

function advertisedOf(
  listener: ParsedListener,
  advertised: readonly ParsedListener[] | undefined,
  controller: boolean,
  settings: ListenerSettings,
): { host: string; port: number } | undefined {
  if (controller) return undefined;
  const found = advertised === undefined ? listener : advertised.find(({ name }) => name === listener.name);
  if (found === undefined) return undefined;
  const wildcard = found.host === undefined || (settings.lenient && isWildcard(found.host));
  return { host: wildcard ? settings.hostName : (found.host ?? settings.hostName), port: found.port };
}

function checkControllerListeners(
  controllerNames: ReadonlySet<string>,
  bound: readonly ParsedListener[],
  settings: ListenerSettings,
): void {
  if (settings.lenient) return;
  const names = new Set(bound.map(({ name }) => name));
  for (const name of controllerNames) {
    if (names.has(name)) continue;
    const problem = `no listener of that name stands in listeners`;
    fail('controller.listener.names', name, problem, `one of ${[...names].join(', ')}`, settings);
  }
}

function checkAdvertised(
  advertised: readonly ParsedListener[] | undefined,
  listeners: readonly ListenerConfig[],
  controllerNames: ReadonlySet<string>,
  interBrokerName: string,
  settings: ListenerSettings,
): void {
  const setting = advertised === undefined ? 'listeners' : 'advertised.listeners';
  const value = (settings.advertisedListeners ?? settings.listeners).join(',');
  const names = listeners.map(({ name }) => name);
  for (const { name } of advertised ?? []) {
    if (names.includes(name)) continue;
    fail(
      setting,
      value,
      `the listener ${name} does not stand in listeners`,
      `some of ${names.join(', ')}`,
      settings,
    );
  }
  const shown = listeners.filter((listener) => listener.advertised !== undefined);
  if (shown.length === 0) {
    const problem = 'no listener is left for clients; are all of them in controller.listener.names?';
    fail(setting, value, problem, `a listener besides ${[...controllerNames].join(', ')}`, settings);
  }
  const wildcard = shown.find(({ advertised: at }) => isWildcard(at?.host));
  if (wildcard !== undefined) {
    const problem = `clients can't connect to ${wildcard.advertised?.host}, which stands for all addresses`;
    const allowed = `advertised.listeners with an address that clients reach, such as ${wildcard.name}://localhost:${wildcard.port}`;
    fail(setting, value, problem, allowed, settings);
  }
  if (!shown.some(({ interBroker }) => interBroker) && !settings.lenient) {
    const name =
      settings.interBrokerListenerName === null
        ? 'security.inter.broker.protocol'
        : 'inter.broker.listener.name';
    const options = shown.map((listener) => listener.name).join(', ');
    fail(name, interBrokerName, 'no advertised listener has that name', `one of ${options}`, settings);
  }
}

/** Until TLS and SASL are served, a listener that asks for them must not open as something else. */
function refuseUnserved(listeners: readonly ListenerConfig[], settings: ListenerSettings): void {
  const unserved = listeners.find(({ protocol }) => protocol !== 'PLAINTEXT');
  if (unserved === undefined) return;
  const setting = settings.isGiven('listener.security.protocol.map')
    ? 'listener.security.protocol.map'
    : 'listeners';
  const { name, protocol } = unserved;
  const problem = `the listener ${name} asks for ${protocol}, which this version does not serve yet`;
  fail(setting, `${name}:${protocol}`, problem, 'PLAINTEXT', settings);
}
