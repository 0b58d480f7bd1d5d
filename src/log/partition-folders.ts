import type { Random } from '../base/ports.ts';
import * as names from './file-names.ts';
import type { PartitionLog } from './log.ts';
import { guarded, storageError } from './storage-errors.ts';
import type { LogPorts } from './types.ts';

type FolderPorts = Pick<LogPorts, 'storage' | 'logger'>;

/** The folders of partitions in a log dir, those among them that wait for their removal too. Throws StorageError. */
export function partitionFolders(
  dir: string,
  { storage, logger }: FolderPorts,
): (readonly [name: string, folder: names.PartitionFolder])[] {
  const found: (readonly [string, names.PartitionFolder])[] = [];
  for (const { name, isDirectory } of storage.list(dir)) {
    if (!isDirectory) continue;
    const folder = names.parseFolder(name);
    if (folder === undefined) {
      logger.warn(`${dir}/${name} is not the folder of a partition and is left alone`);
    } else if (folder.kind === 'stray') {
      logger.warn(`${dir}/${name} is a stray folder and is left alone`);
    } else {
      found.push([name, folder]);
    }
  }
  return found;
}

/** Of two folders of a partition one stays; the other gets a `-stray` name, for people to look at. Throws ProtocolError. */
export function setAside(
  ports: FolderPorts & { readonly random: Random },
  log: PartitionLog,
  kept: PartitionLog,
): void {
  const { topic, partition, parentDir } = log;
  log.abandon(storageError(`${kept.dir} is used instead`));
  const stray = names.deleteFolder(topic, partition, ports.random).replace(/-delete$/, '-stray');
  guarded(() => {
    ports.storage.rename(log.dir, `${parentDir}/${stray}`);
    // Else a power loss could bring it back, to be served where the dir of the other is away.
    ports.storage.syncNow(parentDir);
  });
  ports.logger.warn(`${topic}-${partition} is there twice: ${kept.dir} is used, ${log.dir} was put aside`, {
    folder: stray,
    endOffset: log.logEndOffset,
    keptEndOffset: kept.logEndOffset,
  });
}
