import type { Ports, Storage } from '../base/ports.ts';
import { randomUuid, type Uuid } from '../base/uuid.ts';
import { LOG_SUFFIX, parseFolder } from '../log/file-names.ts';
import {
  checkMetaProperties,
  META_PROPERTIES,
  type MetaProperties,
  MetaPropertiesError,
  readMetaProperties,
  writeMetaProperties,
} from '../metadata/meta-properties.ts';
import { encodeRecord, type MetadataRecord } from '../metadata/records.ts';
import { formatStandalone, METADATA_LOG_DIR } from '../raft/bootstrap.ts';
import { BOOTSTRAP_CHECKPOINT } from '../raft/checkpoint.ts';
import type { VoterEndpoint } from '../raft/ports.ts';
import type { InitialLogDirs } from './initial-log-dirs.ts';

export interface NodeIdentity {
  readonly clusterId: string;
  /** By log dir; without those that are offline. */
  readonly directoryIds: ReadonlyMap<string, Uuid>;
  /** True where the dirs were formatted just now. */
  readonly isNew: boolean;
}

interface FormatInput {
  readonly ports: Pick<Ports, 'storage' | 'random' | 'clock' | 'logger'>;
  readonly nodeId: number;
  /** Where the cluster id is given from outside; a stored one must be the same. */
  readonly clusterId: string | undefined;
  /** They are there, and locked. */
  readonly dirs: InitialLogDirs;
  readonly endpoints: readonly VoterEndpoint[];
  /** What a new cluster starts with. */
  readonly bootstrapRecords: readonly MetadataRecord[];
}

/**
 * Reads to which cluster and node the dirs belong, and formats those that belong to nobody yet. Throws
 * `MetaPropertiesError` where they belong to others, and where a format would strand the data that is there, and
 * StorageError where the metadata log's dir fails; another that does goes offline.
 */
export async function identifyNode(input: FormatInput): Promise<NodeIdentity> {
  const { dirs } = input;
  const { metadataLogDir } = dirs;
  const { storage, random } = input.ports;
  const found = new Map<string, MetaProperties>();
  for (const dir of dirs.online) {
    const properties = await dirs.use(dir, () => readMetaProperties(storage, dir));
    if (properties !== undefined) found.set(dir, properties);
  }
  checkIdentities(input, found);
  const isNew = !found.has(metadataLogDir) || !hasMetadataLog(storage, metadataLogDir);
  if (isNew) refuseToStrandData(input, found);
  const clusterId = input.clusterId ?? [...found.values()][0]?.clusterId ?? randomUuid(random);
  const directoryIds = new Map<string, Uuid>();
  for (const dir of dirs.online) {
    directoryIds.set(dir, found.get(dir)?.directoryId ?? newDirectoryId(input, directoryIds));
  }
  if (isNew) await format(input, directoryIds.get(metadataLogDir)!);
  for (const [dir, directoryId] of directoryIds) {
    if (found.get(dir)?.directoryId !== undefined) continue;
    await dirs.use(dir, () =>
      writeMetaProperties(storage, dir, { clusterId, nodeId: input.nodeId, directoryId }),
    );
    if (dirs.offline.has(dir)) directoryIds.delete(dir);
    else input.ports.logger.info(`Formatted ${dir}/${META_PROPERTIES}`, { clusterId, directoryId });
  }
  return { clusterId, directoryIds, isNew };
}

/** Throws `MetaPropertiesError` unless what the dirs say of themselves is all in agreement. */
function checkIdentities(
  { nodeId, ...input }: FormatInput,
  found: ReadonlyMap<string, MetaProperties>,
): void {
  let { clusterId } = input;
  let clusterIdFrom: string | undefined;
  const dirOf = new Map<Uuid, string>();
  for (const [dir, properties] of found) {
    const path = `${dir}/${META_PROPERTIES}`;
    checkMetaProperties(properties, { clusterId, clusterIdFrom, nodeId }, dir);
    const { directoryId } = properties;
    const other = directoryId === undefined ? undefined : dirOf.get(directoryId);
    if (other !== undefined) {
      throw new MetaPropertiesError(
        `${path} and ${other}/${META_PROPERTIES} have the same directory.id ${directoryId}: one dir is a copy of the ` +
          'other. Either take one of them out of log.dirs, or remove the line from the one whose data may go',
      );
    }
    if (directoryId !== undefined) dirOf.set(directoryId, dir);
    if (clusterId === undefined) clusterIdFrom = path;
    clusterId ??= properties.clusterId;
  }
}

function hasMetadataLog(storage: Storage, dir: string): boolean {
  return (
    storage.isDirectory(`${dir}/${METADATA_LOG_DIR}`) ||
    storage.sizeOf(`${dir}/${BOOTSTRAP_CHECKPOINT}`) !== undefined
  );
}

/**
 * A new metadata log knows no topics, so all partitions that are there would be put aside. That is what happens when a
 * log dir is added in front of the others, or when the one with the metadata log is lost.
 */
function refuseToStrandData(input: FormatInput, found: ReadonlyMap<string, MetaProperties>): void {
  const { online, metadataLogDir } = input.dirs;
  const { storage } = input.ports;
  const elsewhere = online.find(
    (dir) => dir !== metadataLogDir && found.has(dir) && hasMetadataLog(storage, dir),
  );
  if (elsewhere !== undefined) {
    throw new MetaPropertiesError(
      `the metadata log is to be in ${metadataLogDir}, but it lies in ${elsewhere}; a new one would know none of the ` +
        `topics. Either set metadata.log.dir=${elsewhere} (or name it first in log.dirs), or start with empty dirs`,
    );
  }
  if (!found.has(metadataLogDir) && hasMetadataRecords(storage, metadataLogDir)) {
    throw new MetaPropertiesError(
      `${metadataLogDir}/${METADATA_LOG_DIR} has records, but ${metadataLogDir}/${META_PROPERTIES} is missing. Either ` +
        'put that file back, or start with an empty dir',
    );
  }
  for (const dir of online) {
    const partition = partitionsIn(storage, dir)[0];
    if (partition === undefined) continue;
    throw new MetaPropertiesError(
      `${dir} holds partitions, such as ${partition}, but ${metadataLogDir} has no metadata log that knows them. ` +
        `Either bring ${METADATA_LOG_DIR} back (metadata.log.dir says where it lies), or start with empty dirs`,
    );
  }
}

function hasMetadataRecords(storage: Storage, dir: string): boolean {
  const log = `${dir}/${METADATA_LOG_DIR}`;
  if (!storage.isDirectory(log)) return false;
  return storage.list(log).some(({ name }) => name.endsWith(LOG_SUFFIX) && storage.sizeOf(`${log}/${name}`));
}

function partitionsIn(storage: Storage, dir: string): readonly string[] {
  const isPartition = (name: string) => name !== METADATA_LOG_DIR && parseFolder(name)?.kind === 'partition';
  return storage
    .list(dir)
    .filter(({ name, isDirectory }) => isDirectory && isPartition(name))
    .map(({ name }) => name);
}

/** Small numbers stand for "none", "lost" and the like, and a leading dash disturbs tools. */
function newDirectoryId(input: FormatInput, taken: ReadonlyMap<string, Uuid>): Uuid {
  for (;;) {
    const id = randomUuid(input.ports.random);
    if (!id.startsWith('-') && ![...taken.values()].includes(id)) return id;
  }
}

async function format(input: FormatInput, directoryId: Uuid): Promise<void> {
  const { ports } = input;
  const { metadataLogDir } = input.dirs;
  const existing = ports.storage.isDirectory(`${metadataLogDir}/${METADATA_LOG_DIR}`);
  if (existing) {
    ports.logger.warn(
      `${metadataLogDir} has a metadata log but no ${META_PROPERTIES}; a format was interrupted`,
    );
  }
  await formatStandalone(ports.storage, {
    logDir: metadataLogDir,
    nodeId: input.nodeId,
    directoryId,
    endpoints: input.endpoints,
    bootstrapValues: input.bootstrapRecords.map(encodeRecord),
    nowMs: ports.clock.wallMs(),
  });
}
