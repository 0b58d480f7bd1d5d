// Bundles the broker into dist: few files load faster than many, which start-up time shows.
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { rolldown } from 'rolldown';

const require = createRequire(import.meta.url);
const root = dirname(import.meta.dirname);
rmSync(join(root, 'dist'), { recursive: true, force: true });
const bundle = await rolldown({
  input: {
    index: join(root, 'src/index.ts'),
    cli: join(root, 'src/cli/main.ts'),
    worker: join(root, 'src/server/worker.ts'),
  },
  platform: 'node',
  external: [/^node:/, 'pino', 'yargs', /^yargs\//, 'snappyjs', 're2js', 'lz4js', /^@bokuweb\//],
});
await bundle.write({
  dir: join(root, 'dist'),
  format: 'esm',
  sourcemap: true,
  minify: { mangle: false, compress: true, codegen: true },
});
await bundle.close();
const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin/tsc');
execFileSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json')], { stdio: 'inherit' });
