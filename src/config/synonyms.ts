/**
 * Broker settings that name one thing in several units, the most exact first: the first that is given counts. All
 * names of a group are synonyms of each other, but `log.flush.scheduler.interval.ms` is one only for the other name.
 */
const groups: readonly (readonly string[])[] = [
  ['log.roll.ms', 'log.roll.hours'],
  ['log.roll.jitter.ms', 'log.roll.jitter.hours'],
  ['log.retention.ms', 'log.retention.minutes', 'log.retention.hours'],
];

const listenerPrefix = /^listener\.name\.[^.]*\.(.*)$/;

/** Settings written as `listener.name.<listener>.<mechanism>.<setting>`. */
const mechanismSettings: readonly string[] = [
  'sasl.jaas.config',
  'sasl.login.callback.handler.class',
  'sasl.login.class',
  'sasl.server.callback.handler.class',
  'connections.max.reauth.ms',
];

/** The setting that `listener.name.<listener>.[<mechanism>.]<setting>` is about; undefined for other names. */
export function baseOfListenerKey(name: string): string | undefined {
  const base = listenerPrefix.exec(name)?.[1];
  return base === undefined
    ? undefined
    : (mechanismSettings.find((setting) => base.endsWith(setting)) ?? base);
}

/** All names under which a value for `name` may stand, in the order in which they count. */
export function brokerSynonyms(name: string): readonly string[] {
  if (name === 'log.flush.interval.ms') return [name, 'log.flush.scheduler.interval.ms'];
  const group = groups.find((names) => names.includes(name));
  if (group !== undefined) return group;
  const base = baseOfListenerKey(name);
  return base === undefined ? [name] : [name, base];
}
