import { brokerSetting, brokerSettings } from './broker-settings/index.ts';
import type { Setting } from './definition.ts';
import type { Given, Notice } from './given.ts';
import { nearest } from './suggestion.ts';
import { baseOfListenerKey } from './synonyms.ts';
import { parseSetting } from './value.ts';

/** Names that belong to plug-ins and other products, and are passed over in silence. */
const foreign =
  /^(confluent|rest|kafka\.rest|schema\.registry|rsm\.config|rlmm\.config|config\.providers|metrics\.context|cruise\.control)\./;

/** Settings of the authorizer, which Kafka itself does not declare. */
const authorizerSettings: readonly string[] = ['super.users', 'allow.everyone.if.no.acl.found'];

/** Besides those of TLS and SASL, the settings that a listener may have for itself. */
const listenerSettings: readonly string[] = [
  'connections.max.reauth.ms',
  'max.connection.creation.rate',
  'max.connections',
  'num.network.threads',
  'principal.builder.class',
];

/**
 * Warnings about what was given: names that nobody knows, and names that change nothing here yet. `listeners` are the
 * names of all listeners.
 */
export function noticesAbout(given: ReadonlyMap<string, Given>, listeners: readonly string[]): Notice[] {
  const notices: Notice[] = [];
  const withoutEffect: string[] = [];
  for (const [name, { text, origin }] of given) {
    if (origin.kind === 'profile' || foreign.test(name)) continue;
    const base = baseOfListenerKey(name) ?? name;
    const setting = brokerSetting(base);
    const where = origin.kind === 'file' ? `${origin.file}:${origin.line}: ` : '';
    const misplaced = base === name ? undefined : misplacedForListener(name, base, listeners);
    if (setting === undefined && !authorizerSettings.includes(name)) {
      notices.push(unknown(name, base, where));
    } else if (misplaced !== undefined) {
      notices.push({ level: 'warn', message: `${where}${name} is ignored: ${misplaced}` });
    } else if (name === 'authorizer.class.name' && text.trim() !== '') {
      const message = 'authorizer.class.name has no effect yet: every client may do everything';
      notices.push({ level: 'warn', message });
    } else if (setting?.effective !== true && !isDefault(base, setting, text)) {
      withoutEffect.push(name);
    }
  }
  if (withoutEffect.length > 0) {
    const message = `These settings are accepted but change nothing in this version: ${withoutEffect.sort().join(', ')}`;
    notices.push({ level: 'warn', message });
  }
  return notices;
}

/** Why a setting that is known can't be one for the listener in its name. */
function misplacedForListener(name: string, base: string, listeners: readonly string[]): string | undefined {
  const listener = name.split('.')[2] ?? '';
  if (!/^(ssl|sasl)\./.test(base) && !listenerSettings.includes(base)) {
    return `${base} is not a setting of single listeners`;
  }
  if (listener !== listener.toLowerCase()) {
    return `listeners stand in such names in small letters, ${name.replace(listener, listener.toLowerCase())}`;
  }
  if (listeners.some((one) => one.toLowerCase() === listener)) return undefined;
  return `there is no listener ${listener} among ${listeners.join(', ')}`;
}

function isDefault(name: string, setting: Setting | undefined, text: string): boolean {
  if (setting === undefined) return false;
  const result = parseSetting(name, setting, text);
  return 'ok' in result && result.ok.text === setting.defaultText;
}

function unknown(name: string, base: string, where: string): Notice {
  const near = nearest(base, Object.keys(brokerSettings));
  const hint = near === undefined ? '' : `; did you mean ${name.slice(0, name.length - base.length)}${near}?`;
  return { level: 'warn', message: `${where}Unknown setting ${name} is ignored${hint}` };
}
