import { createRequire } from 'node:module';
import type { RE2JS } from 're2js';
import { Errors, ProtocolError } from '../../../protocol/errors.ts';

// Loaded with the first pattern, since it takes 7 ms and a megabyte, and most nodes are never asked for one.
const load = createRequire(import.meta.url);
const engine = (): typeof import('re2js') => load('re2js');

/** Longer patterns are refused: one takes about 10 ms for each 1000 characters to compile. */
export const PATTERN_LENGTH_MAX = 4096;
/** Patterns that compile to more instructions are refused: each character of a topic's name may go through all of them. */
export const PATTERN_INSTRUCTIONS_MAX = 5000;

/**
 * A regular expression over names of topics (KIP-848) in the syntax of RE2: time in proportion to its size and to the
 * name, whatever is in it. It may hold some MB once it has matched: compile it, use it, let it go.
 */
export class TopicPattern {
  readonly text: string;
  readonly #compiled: RE2JS;
  /** Instructions. */
  readonly size: number;

  /** Throws INVALID_REGULAR_EXPRESSION where `text` is none, or one that is too large. */
  constructor(text: string) {
    if (text.length > PATTERN_LENGTH_MAX) {
      throw invalid(`it has ${text.length} characters of at most ${PATTERN_LENGTH_MAX}`);
    }
    this.text = text;
    this.#compiled = compiled(text);
    this.size = this.#compiled.programSize();
    if (this.size > PATTERN_INSTRUCTIONS_MAX) {
      throw invalid(`it compiles to ${this.size} instructions of at most ${PATTERN_INSTRUCTIONS_MAX}`);
    }
  }

  /** Whether the whole name matches. */
  matches(topicName: string): boolean {
    return this.#compiled.testExact(topicName);
  }
}

function compiled(text: string): RE2JS {
  const { RE2JS, RE2JSException } = engine();
  try {
    return RE2JS.compile(text);
  } catch (error) {
    if (error instanceof RE2JSException) throw invalid(error.message);
    throw error;
  }
}

function invalid(why: string): ProtocolError {
  return new ProtocolError(Errors.INVALID_REGULAR_EXPRESSION, `the regular expression can't be used: ${why}`);
}
