import { describe, expect, it } from 'vitest';
import { topicNameProblem } from '../../../src/controller/topic-names.ts';

describe('topic names', () => {
  it.each(['a', 'a.b_c-D9', 'x'.repeat(249), '...'])('takes %s', (name) => {
    expect(topicNameProblem(name)).toBeUndefined();
  });
  it.each(['', '.', '..', 'a b', 'a/b', 'ü', 'x'.repeat(250)])('refuses %j', (name) => {
    expect(topicNameProblem(name)).toBeDefined();
  });
});
