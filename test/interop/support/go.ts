import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir } from './apache.ts';
import { isInstalled, runOk } from './run.ts';

const folder = join(import.meta.dirname, '..', 'go');

/** Builds a program of go/ into the cache; a reason where that can't be done. `main` is its folder, '.' for the first. */
export async function buildGo(main = '.'): Promise<{ program: string } | { missing: string }> {
  const sources = readdirSync(join(folder, main)).filter((name) => name.endsWith('.go'));
  const hash = createHash('sha256');
  for (const file of [...sources.map((name) => join(main, name)), 'go.mod', 'go.sum'])
    hash.update(readFileSync(join(folder, file)));
  const program = join(cacheDir(), `${main === '.' ? 'clients' : main}-${hash.digest('hex').slice(0, 12)}`);
  if (existsSync(program)) return { program };
  if (!(await isInstalled('go'))) return { missing: 'go is not installed' };
  mkdirSync(cacheDir(), { recursive: true });
  // Under its name once it is whole: others may look for it meanwhile.
  const fresh = `${program}.${process.pid}`;
  await runOk('go', ['build', '-o', fresh, `./${main}`], { cwd: folder, timeoutMs: 600_000 });
  renameSync(fresh, program);
  return { program };
}
