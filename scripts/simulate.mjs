// Bundles the simulation, which is TypeScript, and runs it: `npm run simulate -- --seeds 1000`.
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';

const root = dirname(import.meta.dirname);
// Below node_modules, from where the bundle finds its dependencies. Two that run at once have a file each.
const file = join(root, `node_modules/.cache/odradek/simulate-${process.pid}.mjs`);
const bundle = await rolldown({
  input: join(root, 'test/simulation/main.ts'),
  platform: 'node',
  external: [/^node:/, 'pino', 'yargs', /^yargs\//, 'snappyjs', 'lz4js', /^@bokuweb\//],
});
await bundle.write({ file, format: 'esm', sourcemap: 'inline', codeSplitting: false });
await bundle.close();
try {
  await import(pathToFileURL(file).href);
} finally {
  rmSync(file);
}
