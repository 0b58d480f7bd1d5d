import { describe, expect, test } from 'vitest';
import type { Logger, Turn } from '../../../src/base/ports.ts';
import {
  PATTERN_INSTRUCTIONS_MAX,
  PATTERN_LENGTH_MAX,
  TopicPattern,
} from '../../../src/coordinator/group/regex/topic-pattern.ts';
import {
  type ResolvedPatterns,
  TopicRegexResolver,
} from '../../../src/coordinator/group/regex/topic-regex-resolver.ts';
import { Errors, ProtocolError } from '../../../src/protocol/errors.ts';
import { type PatternDecision, readDecisions } from './apache-decisions.ts';
import { expectPattern } from './expect-decision.ts';
import { NAMES, PATTERNS } from './patterns.ts';

const TOPIC_NAME_LENGTH_MAX = 249;

describe('regular expressions over topics', () => {
  test('are those of Apache Kafka, and match what they match there', () => {
    const decisions = readDecisions<PatternDecision>('patterns');
    expect(decisions.map(({ pattern }) => pattern)).toEqual(PATTERNS);
    for (const decision of decisions) expectPattern(decision);
  });

  const tooLarge = {
    'a long one': `a${'|a'.repeat(PATTERN_LENGTH_MAX)}`,
    'many instructions': `(?:[a-c]{${PATTERN_INSTRUCTIONS_MAX / 10}})`.repeat(11),
    'repeated repetitions': '(a{100}){100}',
    'deep nesting': `${'('.repeat(2000)}a${')'.repeat(2000)}`,
  };
  test.each(Object.entries(tooLarge))('are refused where they are too large: %s', (_, text) => {
    try {
      new TopicPattern(text);
      expect.unreachable();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      expect(error.code).toBe(Errors.INVALID_REGULAR_EXPRESSION);
    }
  });

  // With an engine that backtracks each of these takes longer than anybody waits.
  const nasty = [
    '(a*)*b',
    '(a+)+b',
    '(a|aa)+b',
    '(.*)*x',
    '(a|a?)+b',
    '(?:a?){100}a{200}b',
    '((a{1,20}){1,20})b',
  ];
  test.each(nasty)('take time in proportion to the name: %s', (text) => {
    const pattern = new TopicPattern(text);
    const name = 'a'.repeat(TOPIC_NAME_LENGTH_MAX - 1);
    expect(pattern.matches(name)).toBe(false);
    // Whatever it does, whether it ends in what the pattern asks for is all that counts.
    expect(pattern.matches(`${name}c`)).toBe(false);
  });
});

/** Runs one tick after the other. */
class Ticks implements Turn {
  count = 0;
  #next: (() => void)[] = [];

  later(run: () => void): void {
    this.#next.push(run);
  }

  first(): void {
    throw new Error('nobody is in a hurry here');
  }

  atEnd(): void {
    throw new Error('nobody collects here');
  }

  tick(): boolean {
    const now = this.#next;
    this.#next = [];
    for (const run of now) run();
    this.count++;
    return this.#next.length > 0;
  }

  runAll(): void {
    while (this.tick()) {}
  }
}

describe('the resolver', () => {
  const warnings: string[] = [];
  const silent = () => undefined;
  const logger: Logger = {
    debug: silent,
    info: silent,
    error: silent,
    warn: (text) => warnings.push(text),
    child: () => logger,
  };

  test('tells all that match, for each pattern', () => {
    const ticks = new Ticks();
    const resolver = new TopicRegexResolver(ticks, logger);
    let told: ResolvedPatterns | undefined;
    resolver.resolve(['orders-.*', '[', 'never'], NAMES, (resolved) => {
      told = resolved;
    });
    expect(told).toBeUndefined();
    ticks.runAll();
    expect([...told!].map(([text, names]) => [text, [...names]])).toEqual([
      ['orders-.*', ['orders-eu', 'orders-us']],
      ['[', []],
      ['never', []],
    ]);
    expect(warnings).toHaveLength(1);
  });

  test('lets others have their turn, and takes resolutions in order', () => {
    const ticks = new Ticks();
    const resolver = new TopicRegexResolver(ticks, logger);
    const names = Array.from({ length: 3000 }, (_, i) => `${'a'.repeat(100)}${i}`);
    const told: string[] = [];
    resolver.resolve(['(a{1,20}){1,10}.*'], names, (resolved) =>
      told.push(`slow ${[...resolved.values()][0]!.size}`),
    );
    resolver.resolve(['cancelled'], names, () => told.push('cancelled')).cancel();
    resolver.resolve(['.*1'], names, (resolved) => told.push(`quick ${[...resolved.values()][0]!.size}`));
    ticks.runAll();
    expect(told).toEqual(['slow 3000', 'quick 300']);
    expect(ticks.count).toBeGreaterThan(100);
  });

  test('may be asked again from where it tells', () => {
    const ticks = new Ticks();
    const resolver = new TopicRegexResolver(ticks, logger);
    const told: number[] = [];
    resolver.resolve(['a'], ['a'], () => {
      resolver.resolve(['b'], ['a'], (resolved) => told.push(resolved.get('b')!.size));
    });
    ticks.runAll();
    expect(told).toEqual([0]);
  });
});
