import { type ConsumerGroupMember, regexOf } from './consumer-member.ts';

/** The topics that a regular expression matched, and when. */
export interface ResolvedRegex {
  readonly topics: ReadonlySet<string>;
  /** The offset of the metadata that was looked at. */
  readonly version: number;
  readonly timestampMs: number;
}

type Counts = Map<string, number>;
export type ResolvedRegexes = ReadonlyMap<string, ResolvedRegex>;

/**
 * How many members of a group want each topic by name, and each regular expression: what the group as a whole wants is
 * known without a look at its members, of which there may be a hundred thousand.
 */
export class WantedTopics {
  readonly #names: Counts = new Map();
  readonly #regexes: Counts = new Map();

  get regexes(): ReadonlyMap<string, number> {
    return this.#regexes;
  }

  /** True where something is wanted now that nobody wanted before. */
  add(member: ConsumerGroupMember): boolean {
    return count(member, this.#names, this.#regexes, 1);
  }

  /** True where nobody wants something any more. */
  remove(member: ConsumerGroupMember): boolean {
    return count(member, this.#names, this.#regexes, -1);
  }

  /** Whether what the member wants is wanted by somebody here already. */
  includes(member: ConsumerGroupMember): boolean {
    const regex = regexOf(member);
    if (regex !== undefined && !this.#regexes.has(regex)) return false;
    for (const name of member.subscribedTopicNames) if (!this.#names.has(name)) return false;
    return true;
  }

  /** The names that are wanted without those members, as far as regular expressions have been looked at. */
  namesWithout(leaving: readonly ConsumerGroupMember[], resolved: ResolvedRegexes): Set<string> {
    const names: Counts = new Map();
    const regexes: Counts = new Map();
    for (const member of leaving) count(member, names, regexes, 1);
    const topics = new Set<string>();
    for (const [name, wanted] of this.#names) if (wanted > (names.get(name) ?? 0)) topics.add(name);
    for (const [regex, wanted] of this.#regexes) {
      if (wanted > (regexes.get(regex) ?? 0)) addMatched(regex, resolved, topics);
    }
    return topics;
  }
}

/** The names that a member wants, as far as its regular expression has been looked at. */
export function topicsWantedBy(member: ConsumerGroupMember, resolved: ResolvedRegexes): Set<string> {
  const topics = new Set(member.subscribedTopicNames);
  const regex = regexOf(member);
  if (regex !== undefined) addMatched(regex, resolved, topics);
  return topics;
}

function addMatched(regex: string, resolved: ResolvedRegexes, into: Set<string>): void {
  for (const topic of resolved.get(regex)?.topics ?? []) into.add(topic);
}

/** True where a name or a regular expression came or went. */
function count(member: ConsumerGroupMember, names: Counts, regexes: Counts, change: 1 | -1): boolean {
  let hasChanged = false;
  for (const name of member.subscribedTopicNames) hasChanged = countOne(names, name, change) || hasChanged;
  const regex = regexOf(member);
  return (regex !== undefined && countOne(regexes, regex, change)) || hasChanged;
}

function countOne(counts: Counts, key: string, change: 1 | -1): boolean {
  const before = counts.get(key) ?? 0;
  const after = before + change;
  if (after === 0) counts.delete(key);
  else counts.set(key, after);
  return before === 0 || after === 0;
}
