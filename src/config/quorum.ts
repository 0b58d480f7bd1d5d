import { formatAddress, isLoopback, isWildcard, parseHostAndPort } from './addresses.ts';
import { ConfigError, type Origin } from './config-error.ts';
import type { ListenerConfig } from './listeners.ts';

/** The settings that decide who forms the metadata quorum. */
export interface QuorumSettings {
  readonly nodeId: number;
  readonly roles: readonly string[];
  readonly voters: readonly string[];
  readonly bootstrapServers: readonly string[];
  readonly listeners: readonly ListenerConfig[];
  readonly hostName: string;
  originOf(name: string): Origin;
  /** A file without process.roles, or the profile dev: no voter need be named. */
  readonly lenient: boolean;
}

/**
 * Makes sure that the settings describe a quorum of this node alone, the only kind that is served for now. What they
 * describe instead is refused by name: a node that silently stood alone would lose data that others should have kept.
 */
export function checkQuorum(settings: QuorumSettings): void {
  checkRoles(settings);
  const voters = settings.voters.map((entry) => parseVoter(entry, settings));
  if (voters.length === 0 && settings.bootstrapServers.length === 0 && !settings.lenient) {
    throw new ConfigError(
      'With process.roles either controller.quorum.bootstrap.servers or controller.quorum.voters must be given',
      {
        setting: 'controller.quorum.voters',
        allowed: `${settings.nodeId}@localhost:9093 for a cluster of this node alone`,
      },
    );
  }
  checkVoters(voters, settings);
  checkBootstrapServers(settings);
}

function refuse(
  setting: string,
  value: string,
  problem: string,
  allowed: string,
  settings: QuorumSettings,
): never {
  throw new ConfigError(`${setting}=${value}: ${problem}`, {
    setting,
    value,
    allowed,
    origin: settings.originOf(setting),
  });
}

function checkRoles(settings: QuorumSettings): void {
  const roles = new Set(settings.roles);
  if (roles.has('broker') && roles.has('controller')) return;
  const value = settings.roles.join(',');
  const problem = 'this version serves a broker only together with its own controller';
  refuse('process.roles', value, problem, 'broker,controller', settings);
}

interface Voter {
  readonly id: number;
  readonly host: string;
  readonly port: number;
}

function parseVoter(entry: string, settings: QuorumSettings): Voter {
  const [id = '', address = '', ...rest] = entry.split('@');
  const at = parseHostAndPort(address);
  if (!/^[0-9]+$/.test(id) || at === undefined || rest.length > 0) {
    const value = settings.voters.join(',');
    refuse('controller.quorum.voters', value, `can't read ${entry}`, 'entries id@host:port', settings);
  }
  return { id: Number(id), ...at };
}

function checkVoters(voters: readonly Voter[], settings: QuorumSettings): void {
  const setting = 'controller.quorum.voters';
  const value = settings.voters.join(',');
  if (new Set(voters.map(({ id }) => id)).size > 1) {
    const problem = 'it names more than one voter, and this version does not form clusters yet';
    const own = voters.find(({ id }) => id === settings.nodeId);
    const entry = `${settings.nodeId}@${own === undefined ? 'localhost:9093' : formatAddress(own.host, own.port)}`;
    refuse(setting, value, problem, `this node alone: ${entry}`, settings);
  }
  if (voters.length > 0 && !voters.some(({ id }) => id === settings.nodeId)) {
    const problem = `node.id ${settings.nodeId} is not among the voters`;
    refuse(setting, value, problem, `this node alone: ${settings.nodeId}@host:port`, settings);
  }
}

function checkBootstrapServers(settings: QuorumSettings): void {
  const setting = 'controller.quorum.bootstrap.servers';
  const value = settings.bootstrapServers.join(',');
  for (const entry of settings.bootstrapServers) {
    const at = parseHostAndPort(entry);
    if (at === undefined) refuse(setting, value, `can't read ${entry}`, 'entries host:port', settings);
    if (isThisNode(at, settings)) continue;
    const problem = `${entry} is not this node's own controller listener, and this version does not form clusters yet`;
    const own = settings.listeners.find(({ controller }) => controller);
    const address = formatAddress('localhost', own?.port ?? 9093);
    const way = `${address}, or controller.quorum.voters=${settings.nodeId}@${entry} if that address is this node`;
    refuse(setting, value, problem, way, settings);
  }
}

function isThisNode(at: { host: string; port: number }, settings: QuorumSettings): boolean {
  const named = settings.voters.some(
    (voter) => voter === `${settings.nodeId}@${formatAddress(at.host, at.port)}`,
  );
  if (named) return true;
  const onPort = settings.listeners.filter(({ controller, port }) => controller && port === at.port);
  if (onPort.length === 0 && !settings.lenient) return false;
  const hosts = settings.listeners.flatMap(({ host, advertised }) => [host, advertised?.host]);
  return (
    isLoopback(at.host) || isWildcard(at.host) || at.host === settings.hostName || hosts.includes(at.host)
  );
}
