import { readFileSync } from 'node:fs';
import type { CaseAnswer, CaseOutcome, GoldenCase } from './support/produce-golden.ts';
import { withoutTexts } from './support/texts.ts';

/**
 * Every place where this broker may answer otherwise than Apache Kafka 4.3.1, and why. A difference that is not listed here
 * fails a test.
 */

export interface Difference {
  readonly why: string;
  /** Name of the case. */
  readonly applies: (name: string) => boolean;
  /** Whether our outcome is all right where Apache's is `theirs`. */
  readonly allows: (ours: CaseOutcome, theirs: CaseOutcome) => boolean;
}

const NONE = 0;
const CORRUPT_MESSAGE = 2;
const UNKNOWN_SERVER_ERROR = -1;
const INVALID_RECORD = 87;
const UNSUPPORTED_COMPRESSION_TYPE = 76;

const codesOf = (outcome: CaseOutcome): readonly number[] =>
  typeof outcome === 'string' ? [] : outcome.map((answer: CaseAnswer) => answer.errorCode);

const everyCodeIn = (outcome: CaseOutcome, allowed: readonly number[]): boolean => {
  const codes = codesOf(outcome);
  return codes.length > 0 && codes.every((code) => allowed.includes(code));
};

export const batchDifferences: readonly Difference[] = [
  {
    why: `Apache Kafka answers UNKNOWN_SERVER_ERROR when reading a batch throws something it did not expect (a decompressor, a
      varint, an overflow). Here no input leads to an unexpected error: the batch is refused by name.`,
    applies: () => true,
    allows: (ours, theirs) =>
      everyCodeIn(theirs, [UNKNOWN_SERVER_ERROR]) &&
      everyCodeIn(ours, [CORRUPT_MESSAGE, INVALID_RECORD, UNSUPPORTED_COMPRESSION_TYPE]),
  },
  {
    why: `Apache Kafka never answers to records that are null: its request thread fails, and the connection stays muted.`,
    applies: (name) => name === 'records null',
    allows: (ours, theirs) => theirs === 'no answer' && everyCodeIn(ours, [INVALID_RECORD]),
  },
  {
    why: `Offsets within a compressed batch that are not 0, 1, 2 …: Apache Kafka means to write the batch anew with dense ones and fails at that
      (UnsupportedOperationException in its LogValidator, answered as UNKNOWN_SERVER_ERROR). Here it is written anew.`,
    applies: (name) => / offset deltas from 1$/.test(name),
    allows: (ours, theirs) => everyCodeIn(theirs, [UNKNOWN_SERVER_ERROR]) && everyCodeIn(ours, [NONE]),
  },
  {
    why: `Bytes behind the end of a compressed stream: Java's gzip and lz4 readers leave them unread, here they make the batch invalid, as
      they do for snappy and zstd there.`,
    applies: (name) => /^(gzip|lz4): garbage behind/.test(name),
    allows: (ours, theirs) =>
      everyCodeIn(theirs, [NONE]) && everyCodeIn(ours, [CORRUPT_MESSAGE, INVALID_RECORD]),
  },
  {
    why: `Apache Kafka does not look at the offset deltas of an uncompressed batch and stores them as they are, so that two records of its log
      can have one offset. Here such a batch is stored with dense offsets.`,
    applies: (name) => /^offset delta(s 0 2 1|s 0 0 0|s from 1| negative)$/.test(name),
    allows: (ours, theirs) => everyCodeIn(theirs, [NONE]) && everyCodeIn(ours, [NONE]),
  },
  {
    why: `A partition named twice in one request: Apache Kafka writes one of the two and answers once. Here both are written, and both answered.`,
    applies: (name) => name === 'request: one partition twice',
    allows: (ours) => everyCodeIn(ours, [NONE]) && codesOf(ours).length === 2,
  },
];

/** The differences of one case that nothing allows, as lines to print. */
export function unexplained(golden: GoldenCase, ours: GoldenCase, versions: readonly number[]): string[] {
  const lines: string[] = [];
  const at = (answers: Readonly<Record<string, CaseOutcome>>, version: number): CaseOutcome => {
    let last: CaseOutcome = 'no answer';
    for (const v of versions) if (v <= version) last = answers[v] ?? last;
    return last;
  };
  for (const version of versions) {
    const theirs = at(golden.answers, version);
    const mine = at(ours.answers, version);
    if (essence(theirs) === essence(mine)) continue;
    if (batchDifferences.some((d) => d.applies(golden.name) && d.allows(mine, theirs))) continue;
    lines.push(`${golden.name}, Produce v${version}: Apache ${essence(theirs)}, here ${essence(mine)}`);
  }
  return lines;
}

/** Codes, indexes of bad records, stored bytes. */
function essence(outcome: CaseOutcome): string {
  if (typeof outcome === 'string') return outcome;
  return JSON.stringify(
    outcome.map(({ errorCode, recordErrors, stored }) => ({
      errorCode,
      ...(recordErrors ? { badRecords: recordErrors.map((r) => r.batchIndex) } : {}),
      ...(stored === undefined ? {} : { stored }),
    })),
  );
}

/** A step of a client suite that may differ, and how both sides are made comparable. */
export interface ObservationDifference {
  readonly suite: string;
  readonly step: RegExp;
  readonly why: string;
  /** Applied to both sides. */
  readonly reduce: (value: unknown, other: unknown) => unknown;
}

const settingNames = (version: string): readonly string[] => {
  const fixture = new URL(`../unit/config/fixtures/kafka-${version}-settings.json`, import.meta.url);
  const listed = JSON.parse(readFileSync(fixture, 'utf8')) as Record<'broker' | 'topic', { name: string }[]>;
  return [...listed.broker, ...listed.topic].map(({ name }) => name);
};

const of43 = new Set(settingNames('4.3.1'));
const newer = new Set(settingNames('4.4.0').filter((name) => !of43.has(name)));
const isNewer = (name: string): boolean => newer.has(name);

const OWN_WORDS = 'Texts of errors are in our own words: a client sees the same code and the same exception.';

export const observationDifferences: readonly ObservationDifference[] = [
  ...['answers to admin requests', 'dynamic settings'].map((suite) => ({
    suite,
    step: /./,
    why: OWN_WORDS,
    reduce: withoutMessages,
  })),
  ...['the official Java tools', 'the official admin tools'].map((suite) => ({
    suite,
    step: /./,
    why: `${OWN_WORDS} The tools print the exception's class before the text, and some print the text alone once more.`,
    reduce: withoutPrintedTexts,
  })),
  {
    suite: 'mixed groups, upgrade',
    step: /^one of each: old hears that it left /,
    why: `When only members of the old protocol are left, and the group may not become a classic one, nobody asks for the next target:
      Apache Kafka leaves what the last one of the new protocol had without an owner. Here the others are told to join again.`,
    reduce: (value) => ({ ...(value as object), errorCode: 'told to join again, or not' }),
  },
  {
    suite: 'sarama',
    step: / create (again|wrongly)$/,
    why: OWN_WORDS,
    reduce: (value) =>
      Object.fromEntries(
        Object.entries(value as Record<string, string>).map(([topic, said]) => [topic, said.split(' ')[0]]),
      ),
  },
  {
    suite: 'the official Java tools',
    step: /^kafka-broker-api-versions$/,
    why: `What is not served yet is not advertised, and old minima that Apache Kafka 4 dropped are still served; newer maxima are those of 4.4.
      Compared is the version that the tool's client would use, for what both serve.`,
    reduce: (value, other) => {
      const mine = value as Record<string, string>;
      const theirs = other as Record<string, string>;
      return Object.fromEntries(Object.entries(mine).filter(([key]) => key in theirs));
    },
  },
  {
    suite: 'the official Java tools',
    step: /^kafka-configs describe all of topic$/,
    why: 'Settings that Kafka 4.4 added are listed too.',
    reduce: (value) => {
      const printed = value as { stdout: string };
      const lines = printed.stdout
        .split('\n')
        .filter((line) => !isNewer(/^ {2}([\w.]+)=/.exec(line)?.[1] ?? ''));
      return { ...printed, stdout: lines.join('\n') };
    },
  },
  {
    suite: 'the official Java tools',
    step: /^kafka-configs describe --all broker$/,
    why: 'Settings that Kafka 4.4 added are listed too.',
    reduce: (value) =>
      Object.fromEntries(Object.entries(value as Record<string, string>).filter(([name]) => !isNewer(name))),
  },
  {
    suite: 'kafkajs',
    step: /^describeConfigs of (a topic|the broker)$/,
    why: 'Settings that Kafka 4.4 added are listed too.',
    reduce: (value) =>
      (value as { configEntries: { configName: string }[] }[]).map((resource) => ({
        ...resource,
        configEntries: resource.configEntries.filter(({ configName }) => !isNewer(configName)),
      })),
  },
  {
    suite: 'answers to admin requests',
    step: /^DescribeConfigs: a topic, v/,
    why: 'Settings that Kafka 4.4 added are listed too.',
    reduce: (value) => {
      const answer = value as { results: { configs: { name: string }[] }[] };
      const results = answer.results.map((result) => ({
        ...result,
        configs: result.configs.filter(({ name }) => !isNewer(name)),
      }));
      return { ...answer, results };
    },
  },
  {
    suite: 'dynamic settings',
    step: /^describe /,
    why: 'Settings that Kafka 4.4 added are listed too.',
    reduce: (value) =>
      (value as { configs: Record<string, unknown> }[]).map((result) => ({
        ...result,
        configs: Object.fromEntries(Object.entries(result.configs).filter(([name]) => !isNewer(name))),
      })),
  },
  {
    suite: 'dynamic settings',
    step: /^change .* of a topic: flush\.messages\?5$/,
    why: `An operation that does not exist: Apache Kafka's controller stumbles over it (UNKNOWN_SERVER_ERROR), where its broker answers
      INVALID_REQUEST for broker settings. Here both are INVALID_REQUEST.`,
    reduce: () => 'refused',
  },
  {
    suite: 'dynamic settings',
    step: /^change .*(log\.cleaner\.min\.compaction\.lag\.ms:=10|overrides:=127\.0\.0\.1:-2)/,
    why: `Apache Kafka takes both while it runs and then can not make a topic with settings of its own (a shortest lag above the longest), or lets no
      connection in (a negative number); here they are refused, as both do at start.`,
    reduce: () => 'refused here',
  },
  {
    suite: 'the official Java tools',
    step: /^kafka-features describe$/,
    why: `Features that are not served (groups, share groups, streams) are not offered. The newest metadata.version known here is that
      of 4.4, which the 4.3 tool can't name. kraft.version is 0: the voters are those of the settings, until there are clusters.`,
    reduce: (value, other) => {
      const names = new Set((other as { name: string }[]).map((feature) => feature.name));
      return (value as { name: string; text: string }[])
        .filter(({ name }) => names.has(name))
        .map(({ name, text }) => {
          if (name === 'metadata.version')
            return { name, text: text.replace(/SupportedMaxVersion: .*? (?=Final)/, '') };
          return {
            name,
            text: name === 'kraft.version' ? text.replace(/ FinalizedVersionLevel: \d/, '') : text,
          };
        });
    },
  },
];

/** Every error message that says something, as one. */
function withoutMessages(value: unknown): unknown {
  const reduced = JSON.stringify(value, (key, inner: unknown) =>
    key === 'errorMessage' && typeof inner === 'string' && inner !== '' ? '<text>' : inner,
  );
  return JSON.parse(reduced);
}

function withoutPrintedTexts(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (_, inner: unknown) =>
    typeof inner === 'string' ? withoutTexts(inner) : inner,
  );
}

export interface BothSeen {
  readonly apache: Readonly<Record<string, unknown>>;
  readonly odradek: Readonly<Record<string, unknown>>;
}

/** Both sides with the listed differences taken out. */
export function withDifferences(suite: string, seen: BothSeen): BothSeen {
  const apache: Record<string, unknown> = { ...seen.apache };
  const odradek: Record<string, unknown> = { ...seen.odradek };
  for (const difference of observationDifferences) {
    if (difference.suite !== suite) continue;
    for (const step of Object.keys(seen.apache)) {
      if (!difference.step.test(step) || !(step in seen.odradek)) continue;
      const [theirs, ours] = [apache[step], odradek[step]];
      apache[step] = difference.reduce(theirs, ours);
      odradek[step] = difference.reduce(ours, theirs);
    }
  }
  return { apache, odradek };
}

/** The text of a setting that is read otherwise than by Apache Kafka's ConfigDef. */
export interface ParsingDifference {
  readonly why: string;
  readonly allows: (one: {
    readonly name: string;
    readonly type: string;
    readonly text: string;
    readonly ours: string;
    readonly theirs: string;
  }) => boolean;
}

export const parsingDifferences: readonly ParsingDifference[] = [
  {
    why: 'Java classes can not be looked up here: every name is taken, and said to have no effect.',
    allows: ({ type, ours, theirs }) =>
      type === 'class' && ours.startsWith('ok ') && /could not be found|Expected a Class/.test(theirs),
  },
  {
    why: 'Java reads the digits of every script as numbers; here a number has the digits 0 to 9.',
    allows: ({ text, ours }) => text === '١٢' && ours === 'refused',
  },
  {
    why: 'Java compares NaN with bounds as if it lay within them; here a ratio that is not a number is refused.',
    allows: ({ text, ours }) => text === 'NaN' && ours === 'refused',
  },
  {
    why: `Addresses of the quorum are read when all settings are known, and refused then with the place where they were written. Clients can not
      change these settings.`,
    allows: ({ name, ours, theirs }) =>
      /^controller\.quorum\.(voters|bootstrap\.servers)$/.test(name) &&
      ours.startsWith('ok ') &&
      theirs.startsWith('refused '),
  },
];
