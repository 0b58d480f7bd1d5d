import { isInstalled, run } from './run.ts';

/** Debian's kcat; installed from its package where it is missing and that is allowed. */
export async function kcatMissing(): Promise<string | undefined> {
  if (await isInstalled('kcat')) return undefined;
  if (process.getuid?.() === 0 && (await isInstalled('apt-get'))) {
    const got = await run('apt-get', ['install', '-y', '--no-install-recommends', 'kcat'], {
      timeoutMs: 300_000,
    });
    if (got.code === 0) return undefined;
  }
  return 'kcat is not installed';
}
