import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { verifyLog } from '../../src/cli/verify-log-command.ts';
import { realPorts } from '../../src/io/index.ts';
import { apacheMissing } from './support/apache.ts';
import { freePort } from './support/ports.ts';
import { PATIENCE_MS } from './support/run.ts';
import { startTarget, wantedTargets } from './support/target.ts';
import { readBatches, WORKLOAD_TOPICS, writeWorkload } from './support/workload.ts';

/** `broker verify-log` on data folders of both brokers: it finds nothing where they left nothing to do. */

const PORT = await freePort();
const missing = await apacheMissing();
const skipped = missing === undefined ? '' : ` (SKIPPED: ${missing})`;

async function verify(...args: string[]) {
  let text = '';
  const say = (line: string) => {
    text += line;
  };
  const code = await verifyLog(args, {
    portsOf: (logger) => realPorts({ logger }),
    print: say,
    printError: say,
  });
  return { code, text };
}

describe.skipIf(missing !== undefined)(`verify-log${skipped}`, () => {
  for (const name of ['apache', 'odradek'] as const) {
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      test.skipIf(!wantedTargets().includes(name))(`on a folder of ${name} after ${signal}`, async () => {
        const dataDir = mkdtempSync(join(tmpdir(), 'odradek-verify-'));
        try {
          const first = await startTarget(name, { port: PORT, dataDir });
          const written = new Map<string, number>();
          try {
            await writeWorkload(PORT);
            for (const topic of WORKLOAD_TOPICS) written.set(topic, (await readBatches(PORT, topic)).length);
            expect(await verify(dataDir)).toMatchObject({ code: 1, text: expect.stringContaining('in use') });
          } finally {
            await first.stop(signal);
          }
          const found = await verify(dataDir);
          expect(found, found.text).toMatchObject({ code: signal === 'SIGTERM' ? 0 : 2 });
          expect(found.text).not.toMatch(/would be (cut|removed|renamed)/);
          if (signal === 'SIGTERM') {
            const full = await verify(dataDir, '--full');
            expect(full, full.text).toMatchObject({ code: 0 });
          } else {
            const repaired = await verify(dataDir, '--repair');
            expect(repaired, repaired.text).toMatchObject({ code: 0 });
          }
          const second = await startTarget(name, { port: PORT, dataDir });
          try {
            for (const topic of WORKLOAD_TOPICS) {
              expect((await readBatches(PORT, topic, 0, PATIENCE_MS)).length, topic).toBe(written.get(topic));
            }
          } finally {
            await second.stop();
          }
        } finally {
          rmSync(dataDir, { recursive: true, force: true });
        }
      });
    }
  }
});
