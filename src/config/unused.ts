import { brokerSetting, brokerSettings } from './broker-settings/index.ts';
import type { Given, Notice } from './given.ts';
import { nearest } from './suggestion.ts';
import { baseOfListenerKey } from './synonyms.ts';

/** Names that belong to plug-ins and other products, and are passed over in silence. */
const foreign =
  /^(confluent|rest|kafka\.rest|schema\.registry|rsm\.config|rlmm\.config|config\.providers|metrics\.context|cruise\.control)\./;

/** Settings of the authorizer, which Kafka itself does not declare. */
const authorizerSettings: readonly string[] = ['super.users', 'allow.everyone.if.no.acl.found'];

/** Warnings about what was given: names that nobody knows, and names that change nothing here yet. */
export function noticesAbout(given: ReadonlyMap<string, Given>): Notice[] {
  const notices: Notice[] = [];
  const withoutEffect: string[] = [];
  for (const [name, { text, origin }] of given) {
    if (origin.kind === 'profile' || foreign.test(name)) continue;
    const base = baseOfListenerKey(name) ?? name;
    const setting = brokerSetting(base);
    if (setting === undefined && !authorizerSettings.includes(name)) {
      notices.push(unknown(name, base, origin.kind === 'file' ? `${origin.file}:${origin.line}: ` : ''));
    } else if (name === 'authorizer.class.name' && text.trim() !== '') {
      const message = 'authorizer.class.name has no effect yet: every client may do everything';
      notices.push({ level: 'warn', message });
    } else if (setting?.effective !== true && setting?.defaultText !== text.trim()) {
      withoutEffect.push(name);
    }
  }
  if (withoutEffect.length > 0) {
    const message = `These settings are accepted but change nothing in this version: ${withoutEffect.sort().join(', ')}`;
    notices.push({ level: 'warn', message });
  }
  return notices;
}

function unknown(name: string, base: string, where: string): Notice {
  const near = nearest(base, Object.keys(brokerSettings));
  const hint = near === undefined ? '' : `; did you mean ${name.slice(0, name.length - base.length)}${near}?`;
  return { level: 'warn', message: `${where}Unknown setting ${name} is ignored${hint}` };
}
