import type { Logger, Turn } from '../../../base/ports.ts';
import { ProtocolError } from '../../../protocol/errors.ts';
import { TopicPattern } from './topic-pattern.ts';

/** The names that match, by the text of the pattern. */
export type ResolvedPatterns = ReadonlyMap<string, ReadonlySet<string>>;

export interface Resolution {
  /** Nothing is told any more. */
  cancel(): void;
}

/** Instructions gone through before others get their turn: about 2 ms where a pattern does its worst. */
const SLICE_STEPS = 200_000;
/** What compiling a character is reckoned as. */
const STEPS_FOR_COMPILED_CHARACTER = 1000;

/**
 * Finds the topics that regular expressions match, in slices at the ends of ticks, one resolution after the other and one
 * pattern after the other: what a pattern holds in memory while it is matched is held once per node. A caller has one
 * resolution under way for each of its groups at most, which bounds the queue.
 */
export class TopicRegexResolver {
  readonly #turn: Turn;
  readonly #logger: Logger;
  readonly #queue: Run[] = [];

  constructor(turn: Turn, logger: Logger) {
    this.#turn = turn;
    this.#logger = logger;
  }

  /**
   * Tells which of the topics that are there now match each pattern, later and once. A pattern that can't be used (it came
   * from a log that another broker wrote) matches none.
   */
  resolve(
    patterns: Iterable<string>,
    topicNames: Iterable<string>,
    done: (resolved: ResolvedPatterns) => void,
  ): Resolution {
    const run = new Run([...patterns], [...topicNames], done, this.#logger);
    this.#queue.push(run);
    if (this.#queue.length === 1) this.#turn.later(this.#slice);
    return {
      cancel: () => {
        run.isCancelled = true;
      },
    };
  }

  readonly #slice = (): void => {
    const run = this.#queue[0]!;
    const isDone = run.isCancelled || run.slice();
    if (isDone) this.#queue.shift();
    if (this.#queue.length > 0) this.#turn.later(this.#slice);
    if (isDone && !run.isCancelled) run.tell();
  };
}

class Run {
  isCancelled = false;
  readonly #patterns: readonly string[];
  readonly #topicNames: readonly string[];
  readonly #done: (resolved: ResolvedPatterns) => void;
  readonly #logger: Logger;
  readonly #resolved = new Map<string, Set<string>>();
  #nextPattern = 0;
  #pattern: TopicPattern | undefined;
  #nextTopic = 0;

  constructor(
    patterns: readonly string[],
    topicNames: readonly string[],
    done: (resolved: ResolvedPatterns) => void,
    logger: Logger,
  ) {
    this.#patterns = patterns;
    this.#topicNames = topicNames;
    this.#done = done;
    this.#logger = logger;
  }

  /** Goes on for a slice; tells whether all is done. */
  slice(): boolean {
    let steps = 0;
    while (steps < SLICE_STEPS) {
      if (this.#pattern !== undefined) steps += this.#matchNext(this.#pattern);
      else if (this.#nextPattern < this.#patterns.length) steps += this.#compileNext();
      else return true;
    }
    return false;
  }

  tell(): void {
    this.#done(this.#resolved);
  }

  #compileNext(): number {
    const text = this.#patterns[this.#nextPattern++]!;
    this.#resolved.set(text, new Set());
    this.#nextTopic = 0;
    try {
      this.#pattern = new TopicPattern(text);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#logger.warn('A regular expression that a group subscribes by matches nothing', {
        pattern: text,
        error: error.message,
      });
    }
    return text.length * STEPS_FOR_COMPILED_CHARACTER;
  }

  #matchNext(pattern: TopicPattern): number {
    const name = this.#topicNames[this.#nextTopic++];
    if (name === undefined) {
      this.#pattern = undefined;
      return 1;
    }
    if (pattern.matches(name)) this.#resolved.get(pattern.text)!.add(name);
    return name.length * pattern.size;
  }
}
