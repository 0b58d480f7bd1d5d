import { describe, expect, it } from 'vitest';
import { Errors } from '../../../src/protocol/errors.ts';
import { type ProducerIdBlock, ProducerIds } from '../../../src/server/producer-ids.ts';

describe('producer ids', () => {
  it('are handed out one after the other, across blocks, with one request at a time', async () => {
    let blocks = 0;
    const ids = new ProducerIds(async () => ({ first: BigInt(blocks++ * 1000), count: 10 }));
    const taken = await Promise.all(Array.from({ length: 25 }, () => ids.next()));
    expect(new Set(taken).size).toBe(25);
    expect(blocks).toBeLessThanOrEqual(4);
    expect(taken.slice(0, 3)).toEqual([0n, 1n, 2n]);
  });

  it('are asked for again after a failure, which clients may retry', async () => {
    const answers: (() => Promise<ProducerIdBlock>)[] = [
      () => Promise.reject(new Error('no controller')),
      () => Promise.resolve({ first: 5n, count: 10 }),
    ];
    const ids = new ProducerIds(() => answers.shift()!());
    await expect(ids.next()).rejects.toMatchObject({ code: Errors.COORDINATOR_LOAD_IN_PROGRESS });
    expect(await ids.next()).toBe(5n);
  });
});
