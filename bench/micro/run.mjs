// Runs a micro benchmark: `node bench/micro/run.mjs commits|compression|crc32c|transactions|walk|write-pieces`. They are TypeScript over internal
// modules, which Node 20 cannot load, so each is bundled in memory first (rolldown is here for the build anyway).
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';

const name = process.argv[2];
if (!/^[a-z0-9-]+$/.test(name ?? '')) {
  console.error('usage: node bench/micro/run.mjs commits|compression|crc32c|transactions|walk|write-pieces');
  process.exit(2);
}
// Inside the project, so that packages resolve from there.
const dir = mkdtempSync(join(import.meta.dirname, '.run-'));
try {
  const bundle = await rolldown({
    input: join(import.meta.dirname, `${name}.ts`),
    platform: 'node',
    external: [/^node:/, /^[a-z@]/],
  });
  const file = join(dir, `${name}.mjs`);
  await bundle.write({ file, format: 'esm' });
  await bundle.close();
  console.log(`${name} on Node ${process.version}`);
  await import(pathToFileURL(file).href);
} finally {
  rmSync(dir, { recursive: true, force: true });
}
