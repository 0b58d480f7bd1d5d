import { describe, expect, test } from 'vitest';
import { createLogger, type LogFormat, type LogLevel } from '../../../src/cli/logger.ts';

const at = new Date(2026, 1, 3, 4, 5, 6, 7);

async function linesOf(format: LogFormat, level: LogLevel = 'info') {
  const lines: string[] = [];
  const logger = await createLogger({ format, level, write: (line) => lines.push(line), now: () => at });
  return { logger, lines };
}

describe('layouts', () => {
  test('kafka', async () => {
    const { logger, lines } = await linesOf('kafka');
    logger.info('Kafka Server started');
    logger.child('LogManager').warn('loaded', { logs: 3, dirs: ['/a', '/b'], size: 5n, none: undefined });
    expect(lines).toEqual([
      '[2026-02-03 04:05:06,007] INFO Kafka Server started (odradek)\n',
      '[2026-02-03 04:05:06,007] WARN loaded logs=3 dirs=["/a","/b"] size=5 (LogManager)\n',
    ]);
  });

  test('pretty', async () => {
    const { logger, lines } = await linesOf('pretty');
    logger.child('Dispatch').error('failed', { api: 'Fetch' });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are what is taken away
    expect(lines[0]?.replace(/\u001b\[[0-9]+m/g, '')).toBe('04:05:06,007 ERROR Dispatch failed api=Fetch\n');
  });

  test('json', async () => {
    const { logger, lines } = await linesOf('json');
    logger.child('Raft').info('elected', { epoch: 3, offset: 12n });
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      level: 'info',
      time: at.toISOString(),
      logger: 'Raft',
      epoch: 3,
      offset: '12',
      msg: 'elected',
    });
  });

  test.each(['kafka', 'pretty', 'json'] as const)('%s keeps the stack of an error', async (format) => {
    const { logger, lines } = await linesOf(format);
    logger.error('broken', { error: new Error('why') });
    expect(lines.join('')).toMatch(/Error: why/);
    expect(lines.join('')).toMatch(/logger\.test\.ts/);
  });
});

test.each(['kafka', 'json'] as const)('%s leaves out what is below the level', async (format) => {
  const { logger, lines } = await linesOf(format, 'warn');
  logger.debug('a');
  logger.info('b');
  logger.child('x').info('c');
  logger.warn('d');
  logger.error('e');
  expect(lines).toHaveLength(2);
});
