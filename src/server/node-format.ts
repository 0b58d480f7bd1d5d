import type { Ports } from '../base/ports.ts';
import { randomUuid, type Uuid } from '../base/uuid.ts';
import {
  checkMetaProperties,
  META_PROPERTIES,
  type MetaProperties,
  readMetaProperties,
  writeMetaProperties,
} from '../metadata/meta-properties.ts';
import { encodeRecord, type MetadataRecord } from '../metadata/records.ts';
import { formatStandalone, METADATA_LOG_DIR } from '../raft/bootstrap.ts';
import type { VoterEndpoint } from '../raft/ports.ts';
import { makeDirDurably } from './durable-dirs.ts';

export interface NodeIdentity {
  readonly clusterId: string;
  /** By log dir. */
  readonly directoryIds: ReadonlyMap<string, Uuid>;
  /** True where the dirs were formatted just now. */
  readonly isNew: boolean;
}

export interface FormatInput {
  readonly ports: Pick<Ports, 'storage' | 'random' | 'clock' | 'logger'>;
  readonly nodeId: number;
  /** Where the cluster id is given from outside; a stored one must be the same. */
  readonly clusterId: string | undefined;
  readonly metadataLogDir: string;
  /** All dirs, the metadata log's among them. */
  readonly dirs: readonly string[];
  readonly endpoints: readonly VoterEndpoint[];
  /** What a new cluster starts with. */
  readonly bootstrapRecords: readonly MetadataRecord[];
}

/**
 * Reads to which cluster and node the dirs belong, and formats those that belong to nobody yet. Throws
 * `MetaPropertiesError` where they belong to others.
 */
export async function identifyNode(input: FormatInput): Promise<NodeIdentity> {
  const { storage, random } = input.ports;
  const found = new Map<string, MetaProperties>();
  let { clusterId } = input;
  for (const dir of input.dirs) {
    await makeDirDurably(storage, dir);
    const properties = readMetaProperties(storage, dir);
    if (properties === undefined) continue;
    checkMetaProperties(properties, { clusterId, nodeId: input.nodeId }, dir);
    clusterId ??= properties.clusterId;
    found.set(dir, properties);
  }
  clusterId ??= randomUuid(random);
  const directoryIds = new Map<string, Uuid>();
  for (const dir of input.dirs) {
    directoryIds.set(dir, found.get(dir)?.directoryId ?? newDirectoryId(input, directoryIds));
  }
  const isNew = !found.has(input.metadataLogDir);
  if (isNew) await format(input, directoryIds.get(input.metadataLogDir)!);
  for (const dir of input.dirs) {
    if (found.get(dir)?.directoryId !== undefined) continue;
    const directoryId = directoryIds.get(dir)!;
    await writeMetaProperties(storage, dir, { clusterId, nodeId: input.nodeId, directoryId });
    input.ports.logger.info(`Formatted ${dir}/${META_PROPERTIES}`, { clusterId, directoryId });
  }
  return { clusterId, directoryIds, isNew };
}

/** Small numbers stand for "none", "lost" and the like, and a leading dash disturbs tools. */
function newDirectoryId(input: FormatInput, taken: ReadonlyMap<string, Uuid>): Uuid {
  for (;;) {
    const id = randomUuid(input.ports.random);
    if (!id.startsWith('-') && ![...taken.values()].includes(id)) return id;
  }
}

async function format(input: FormatInput, directoryId: Uuid): Promise<void> {
  const { ports, metadataLogDir } = input;
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
