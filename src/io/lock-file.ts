import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readlinkSync,
  writeSync,
} from 'node:fs';
import type { Random } from '../base/ports.ts';

/**
 * An exclusive lock without native code. Node can't call flock or fcntl, so the lock file is a list of claims, one line
 * each, only ever appended to while anybody may hold it: `+ token pid startedAt boot` claims, `- token` takes back.
 * The holder is the first claim that is not taken back and whose process lives. Appends of one line are atomic on a
 * local file system, so everybody sees the same order, and a claim left behind by a killed process needs no takeover
 * in which two could win. Releasing empties the file; a claimant whose own line has vanished has not won.
 *
 * What it can't see: a holder on another machine or in another container that shares the folder, for their
 * processes are not visible here. A lock of a JVM (Apache Kafka running on the same folder) is seen on Linux.
 */

const { O_APPEND, O_CREAT, O_RDWR } = constants;
/** How far two readings of one process' start may lie apart where the system does not tell it exactly. */
const START_TOLERANCE_MS = 2000;
/** States of a process that has ended, though nobody has asked for its exit code yet; in containers often nobody does. */
const ENDED = ['Z', 'X', 'x'];

interface Claim {
  readonly token: string;
  readonly pid: number;
  readonly startedAt: string;
  readonly boot: string;
}

/** Takes the lock on a file that exists; undefined when somebody else holds it. Throws Node's own errors. */
export function takeLock(path: string, random: Random): { release(): void } | undefined {
  if (isLockedByKernel(path)) return undefined;
  const bytes = new Uint8Array(9);
  random.fill(bytes);
  const token = Buffer.from(bytes).toString('base64url');
  const fd = openSync(path, O_RDWR | O_CREAT | O_APPEND, 0o644);
  try {
    // What another program left without a last newline must not swallow the claim: an empty line is nothing.
    writeSync(fd, `\n+ ${token} ${process.pid} ${startOf(process.pid)} ${bootId()}\n`);
    if (holderOf(readFileSync(path, 'utf8'))?.token === token) return { release: () => release(path, token) };
    writeSync(fd, `- ${token}\n`);
    return undefined;
  } finally {
    closeSync(fd);
  }
}

function release(path: string, token: string): void {
  let fd: number;
  try {
    fd = openSync(path, O_RDWR | O_APPEND);
  } catch {
    return; // The folder was removed under the lock: there is nothing left to release.
  }
  try {
    if (holderOf(readFileSync(path, 'utf8'))?.token === token) ftruncateSync(fd, 0);
  } finally {
    closeSync(fd);
  }
}

function holderOf(text: string): Claim | undefined {
  const claims = new Map<string, Claim>();
  for (const line of text.split('\n')) {
    const [sign, token = '', claimPid = '', startedAt = '', boot = ''] = line.split(' ');
    if (sign === '-') claims.delete(token);
    else if (sign === '+') claims.set(token, { token, pid: Number(claimPid), startedAt, boot });
  }
  for (const claim of claims.values()) if (isAlive(claim)) return claim;
  return undefined;
}

function isAlive(claim: Claim): boolean {
  if (!Number.isSafeInteger(claim.pid) || claim.pid <= 0 || claim.boot !== bootId()) return false;
  const startedAt = startOf(claim.pid);
  if (startedAt === undefined) return false;
  // The number alone says little: in a container the next process gets the same one.
  if (startedAt.startsWith('~') && claim.startedAt.startsWith('~')) {
    return Math.abs(Number(startedAt.slice(1)) - Number(claim.startedAt.slice(1))) <= START_TOLERANCE_MS;
  }
  return startedAt === '?' || startedAt === claim.startedAt;
}

/**
 * When a process started: on Linux in ticks since boot, for this process elsewhere as `~` and ms since 1970, for
 * others there `?`. Undefined when there is no such process.
 */
function startOf(ofPid: number): string | undefined {
  if (process.platform === 'linux') {
    const stat = readText(`/proc/${ofPid}/stat`);
    // The second field is the program's name in parentheses and may contain anything.
    const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
    return ENDED.includes(fields[0] ?? '') ? undefined : fields[19];
  }
  if (ofPid === process.pid) return `~${Math.round(Date.now() - process.uptime() * 1000)}`;
  try {
    process.kill(ofPid, 0);
    return '?';
  } catch (error) {
    return error instanceof Error && Reflect.get(error, 'code') === 'EPERM' ? '?' : undefined;
  }
}

/** Names the boot of the machine and the space in which process ids are counted; `-` where neither is told. */
function bootId(): string {
  const boot = readText('/proc/sys/kernel/random/boot_id')?.trim() ?? '-';
  let space = '';
  try {
    space = readlinkSync('/proc/self/ns/pid');
  } catch {
    // Not Linux, or not visible.
  }
  return `${boot}/${space}`;
}

/** Whether some process holds an advisory lock on the file, as a JVM does; only Linux tells. */
function isLockedByKernel(path: string): boolean {
  const locks = readText('/proc/locks');
  if (locks === undefined || locks === '') return false;
  const fd = openSync(path, O_RDWR);
  try {
    const { dev, ino } = fstatSync(fd);
    const major = (dev >>> 8) & 0xfff;
    const minor = (dev & 0xff) | ((dev >>> 12) & 0xfff00);
    const name = `${hex(major)}:${hex(minor)}:${ino}`;
    return locks.split(/\s+/).includes(name);
  } finally {
    closeSync(fd);
  }
}

function hex(part: number): string {
  return part.toString(16).padStart(2, '0');
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
