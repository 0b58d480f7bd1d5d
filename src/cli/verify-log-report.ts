import type { Storage } from '../base/ports.ts';
import type { OverlayChange, OverlayStorage } from '../io/overlay-storage.ts';
import { CLEAN_SHUTDOWN_FILE, LOG_SUFFIX } from '../log/file-names.ts';

/** The segments of a folder that a start reads as a whole. */
export interface SegmentsRead {
  readonly segments: number;
  readonly ofSegments: number;
  readonly bytes: number;
}

/** What a start would do to a directory. */
export interface CheckedDir {
  readonly dir: string;
  /** Undefined for the folder of one partition. */
  readonly wasClean: boolean | undefined;
  readonly full: boolean;
  readonly partitionCount: number;
  readonly unknownTopics: string | undefined;
  readonly changes: readonly OverlayChange[];
  /** By path of the folder. */
  readonly read: ReadonlyMap<string, SegmentsRead>;
  /** What was asked about segments that are kept. */
  readonly kept: readonly string[];
  /** Warnings of the code that did it. */
  readonly warnings: readonly string[];
}

/** Which segments below `dir` the overlay read from beginning to end, by folder. Throws StorageError. */
export function segmentsRead(
  storage: Storage,
  dir: string,
  overlay: OverlayStorage,
): Map<string, SegmentsRead> {
  const read = new Map<string, SegmentsRead>();
  const folders = storage.list(dir).filter(({ isDirectory }) => isDirectory);
  for (const folder of [dir, ...folders.map(({ name }) => `${dir}/${name}`)]) {
    const logs = storage.list(folder).filter(({ name }) => name.endsWith(LOG_SUFFIX));
    const sizes = logs.map(
      ({ name }) => [`${folder}/${name}`, storage.sizeOf(`${folder}/${name}`) ?? 0] as const,
    );
    const whole = sizes.filter(([path, size]) => size > 0 && overlay.bytesReadOf(path) >= size);
    if (whole.length === 0) continue;
    const bytes = whole.reduce((sum, [, size]) => sum + size, 0);
    read.set(folder, { segments: whole.length, ofSegments: logs.length, bytes });
  }
  return read;
}

/** Whether a start would do more than open files. The folder of one partition is read in any case. */
export function needsWork(checked: CheckedDir): boolean {
  const readsAgain = checked.wasClean === false && checked.read.size > 0;
  return readsAgain || realChanges(checked).length > 0;
}

/** For people: what would be done, by folder, and why. */
export function* reportLines(checked: CheckedDir): Generator<string, void, undefined> {
  const { dir, wasClean, unknownTopics, read, warnings } = checked;
  if (wasClean === false) {
    yield `${dir} was not closed in order: a start reads what may not have been synced again`;
  }
  if (unknownTopics !== undefined) {
    yield `Topics are not known (${unknownTopics}): folders are not compared with them, and missing offsets count as compacted`;
  }
  const work = new Map<string, string[]>();
  const workIn = (folder: string): string[] => {
    const found = work.get(folder) ?? [];
    work.set(folder, found);
    return found;
  };
  if (wasClean === false) for (const [folder, one] of read) workIn(folder).push(readAgainText(one));
  const changes = realChanges(checked);
  for (const change of changes) {
    const folder = folderOf(dir, change);
    workIn(folder).push(changeText(folder, change));
  }
  for (const folder of [...work.keys()].sort()) {
    yield folder;
    for (const line of workIn(folder)) yield `  ${line}`;
  }
  yield* checked.kept;
  for (const warning of warnings) yield `Said meanwhile: ${warning}`;
  yield summary(checked, new Set(changes.map((change) => folderOf(dir, change))).size);
}

function summary(checked: CheckedDir, changedCount: number): string {
  const { dir, wasClean, full, partitionCount, read } = checked;
  const total = [...read.values()].reduce((sum, { segments }) => sum + segments, 0);
  const seen = `${counted(partitionCount, 'partition')}, ${counted(total, 'segment')} read`;
  if (needsWork(checked)) return `${seen}, ${counted(changedCount, 'folder')} to be changed`;
  if (wasClean !== true || full) return `Nothing is to be done in ${dir}: ${seen}`;
  return `Nothing is to be done in ${dir}: ${counted(partitionCount, 'partition')}, closed in order; --full reads what a start believes`;
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

/** The marker of a clean stop and the checkpoints of all partitions are written anew all the time. */
function realChanges({ dir, changes }: CheckedDir): readonly OverlayChange[] {
  const isQuiet = (name: string) =>
    name === CLEAN_SHUTDOWN_FILE || /^[a-z-]+-offset-checkpoint(\.tmp)?$/.test(name);
  return changes.filter(
    ({ path }) => folderOfPath(dir, path) !== dir || !isQuiet(path.slice(dir.length + 1)),
  );
}

/** The folder of a partition, or the directory itself for what lies in it. */
function folderOf(dir: string, { path, ...change }: OverlayChange): string {
  if ('isDirectory' in change && change.isDirectory) return path;
  return folderOfPath(dir, path);
}

function folderOfPath(dir: string, path: string): string {
  const name = path.slice(dir.length + 1);
  return name.includes('/') ? `${dir}/${name.slice(0, name.indexOf('/'))}` : dir;
}

function readAgainText({ segments, ofSegments, bytes }: SegmentsRead): string {
  const all = segments === ofSegments ? '' : `${segments} of `;
  return `${all}${counted(ofSegments, 'segment')} would be read again, ${bytes} bytes`;
}

function changeText(folder: string, change: OverlayChange): string {
  const name = change.path === folder ? 'the folder' : change.path.slice(folder.length + 1);
  switch (change.kind) {
    case 'removed':
      return `${name} would be removed`;
    case 'renamed':
      return `${name} would be renamed to ${change.to.slice(change.to.lastIndexOf('/') + 1)}`;
    case 'cut':
      return `${name} would be cut from ${change.fromBytes} to ${change.toBytes} bytes`;
    case 'written':
      return `${name} would be ${change.isNew ? 'made' : 'made anew'}, ${change.sizeInBytes} bytes`;
  }
}
