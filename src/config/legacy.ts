import type { Notice } from './given.ts';

/** Settings of former Kafka versions, with what stands in their place. */
const replaced: Readonly<Record<string, string>> = {
  'host.name': 'name the host in listeners, such as listeners=PLAINTEXT://$:9092',
  port: 'name the port in listeners, such as listeners=PLAINTEXT://:$',
  'advertised.host.name':
    'name the host in advertised.listeners, such as advertised.listeners=PLAINTEXT://$:9092',
  'advertised.port':
    'name the port in advertised.listeners, such as advertised.listeners=PLAINTEXT://localhost:$',
  'log.message.timestamp.difference.max.ms':
    'set log.message.timestamp.before.max.ms and log.message.timestamp.after.max.ms',
  'delegation.token.master.key': 'set delegation.token.secret.key',
  'control.plane.listener.name': 'KRaft has no use for it',
  'broker.id.generation.enable': 'set node.id',
  'reserved.broker.max.id': 'set node.id',
};

const withoutUse: readonly string[] = [
  'inter.broker.protocol.version',
  'log.message.format.version',
  'log.message.downconversion.enable',
  'offsets.commit.required.acks',
  'auto.include.jmx.reporter',
  'leader.imbalance.per.broker.percentage',
  'group.coordinator.new.enable',
  'eligible.leader.replicas.enable',
  'zookeeper.metadata.migration.enable',
];

export function isLegacy(name: string): boolean {
  return (
    name.startsWith('zookeeper.') ||
    name.startsWith('password.encoder.') ||
    Object.hasOwn(replaced, name) ||
    withoutUse.includes(name)
  );
}

/** What to say about a setting that {@link isLegacy}; `value` is what was given for it. */
export function legacyNotice(name: string, value: string): Notice {
  if (name === 'zookeeper.connect') {
    const message = `zookeeper.connect=${value} is ignored: there is no ZooKeeper any more, and this node is a cluster of its own`;
    return { level: 'warn', message };
  }
  const instead = Object.hasOwn(replaced, name) ? replaced[name]?.replaceAll('$', value) : undefined;
  if (instead !== undefined)
    return { level: 'warn', message: `${name} is ignored, Kafka no longer reads it: ${instead}` };
  return { level: 'info', message: `${name} is ignored, Kafka no longer reads it` };
}
