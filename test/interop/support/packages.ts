import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir } from './apache.ts';
import { isInstalled, run } from './run.ts';

/** A client from a package registry, in the cache folder; or why there is none. */
export type Package = { readonly folder: string } | { readonly missing: string };

const INSTALL_MS = 240_000;

/** Installs with pip, once. `name` names the folder in the cache. */
export function pythonPackages(name: string, specs: readonly string[]): Promise<Package> {
  return installed(name, 'python3', (folder) => [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--disable-pip-version-check',
    '--target',
    folder,
    ...specs,
  ]);
}

/** Installs with npm, once, without running scripts of the packages. */
export function npmPackages(name: string, specs: readonly string[]): Promise<Package> {
  return installed(name, 'npm', (folder) => [
    'install',
    '--no-audit',
    '--no-fund',
    '--no-save',
    '--ignore-scripts',
    '--prefix',
    folder,
    ...specs,
  ]);
}

async function installed(
  name: string,
  program: string,
  argsFor: (folder: string) => readonly string[],
): Promise<Package> {
  const folder = join(cacheDir(), name);
  if (existsSync(join(folder, '.complete'))) return { folder };
  if (!(await isInstalled(program))) return { missing: `${program} is not installed` };
  mkdirSync(cacheDir(), { recursive: true });
  const fresh = mkdtempSync(join(cacheDir(), '.packages-'));
  // Elsewhere than in the repository, whose own package.json npm would find.
  const result = await run(program, argsFor(fresh), { cwd: fresh, timeoutMs: INSTALL_MS });
  if (result.code !== 0) {
    rmSync(fresh, { recursive: true, force: true });
    return { missing: `${name} could not be installed: ${result.stderr.trim().split('\n').at(-1)}` };
  }
  writeFileSync(join(fresh, '.complete'), '');
  rmSync(folder, { recursive: true, force: true });
  renameSync(fresh, folder);
  return { folder };
}
