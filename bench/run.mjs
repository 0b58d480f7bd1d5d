#!/usr/bin/env node
// npm run bench [-- --seconds N] [--only odradek|apache] [--rounds N]: this broker and, where Java is there, Apache Kafka in turn.
// npm run bench -- logs [--run recovery,memory,…] [--rounds N] [--partitions N] [--megabytes N] [--only …]: what logs cost, on both.
// npm run bench -- groups [--run commits,memory,…] [--rounds N] [--seconds N] [--warmup N] [--groups N] [--only …]: what groups cost.
// npm run bench -- transactions [--run transactions,idempotence,isolation] [--rounds N] [--seconds N] [--warmup N] [--only …]: exactly once.
// npm run bench -- tools [--rounds N] [--megabytes N]: Apache Kafka's own performance tools against both.
// Bundles bench/*.ts with what they share with the interop tests, because Node 20 does not run TypeScript.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

const here = dirname(fileURLToPath(import.meta.url));
const out = mkdtempSync(join(tmpdir(), 'odradek-bench-'));
try {
  await build({
    input: {
      main: join(here, 'main.ts'),
      load: join(here, 'load.ts'),
      tools: join(here, 'perf-tools.ts'),
      logs: join(here, 'logs/main.ts'),
      'read-files': join(here, 'logs/read-files.ts'),
      groups: join(here, 'groups/main.ts'),
      transactions: join(here, 'transactions/main.ts'),
    },
    platform: 'node',
    output: { dir: out, format: 'esm', entryFileNames: '[name].mjs', chunkFileNames: '[name]-[hash].mjs' },
    logLevel: 'warn',
  });
  const env = {
    ...process.env,
    ODRADEK_ROOT: dirname(here),
    ODRADEK_LOAD: join(out, 'load.mjs'),
    ODRADEK_READ_FILES: join(out, 'read-files.mjs'),
  };
  const [first, ...rest] = process.argv.slice(2);
  const args = ['tools', 'logs', 'groups', 'transactions'].includes(first)
    ? [`${first}.mjs`, ...rest]
    : ['main.mjs', ...process.argv.slice(2)];
  const run = spawnSync(process.execPath, [join(out, args[0]), ...args.slice(1)], {
    env,
    stdio: 'inherit',
  });
  process.exitCode = run.status ?? 1;
} finally {
  rmSync(out, { recursive: true, force: true });
}
