import type { Ports } from '../base/ports.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import { type LogConfig, logConfigOf } from '../config/log-config.ts';
import { compactionText } from '../log/cleaner/cleanable.ts';
import {
  CLEAN_SHUTDOWN_FILE,
  LOG_SUFFIX,
  type PartitionFolder,
  parseFolder,
  RECOVERY_POINT_CHECKPOINT,
} from '../log/file-names.ts';
import { LogManager, openLog, type PartitionLog, sharedLogState } from '../log/index.ts';
import { LogDir } from '../log/log-dir.ts';
import { ConfigResourceType, type MetadataImage } from '../metadata/image.ts';
import { META_PROPERTIES, readMetaProperties } from '../metadata/meta-properties.ts';
import { METADATA_LOG_DIR } from '../raft/bootstrap.ts';
import { readCleanShutdown } from './clean-shutdown.ts';
import { dynamicConfigsOf } from './metadata-applier.ts';
import { openMetadataLog, PartitionMetadataLog } from './metadata-log.ts';
import { readMetadata } from './offline-metadata.ts';
import { setStrayLogsAside } from './stray-logs.ts';

export interface OfflineInput {
  /** A log dir or the folder of one partition, of a broker that does not run; no slash at the end. */
  readonly dir: string;
  /** What the broker is started with; what the metadata log says comes on top. */
  readonly config: BrokerConfig;
  readonly ports: Ports;
  /** Nothing is believed: every batch is read, as if the broker had crashed before its first sync. */
  readonly full: boolean;
}

export interface OfflineLogs {
  /** Undefined for the folder of one partition, which has no marker. */
  readonly wasClean: boolean | undefined;
  readonly partitionCount: number;
  /** Why topics and their settings are not known: then no folder counts as stray, and offsets may be missing in each. */
  readonly unknownTopics: string | undefined;
  /** By partition what keeps its oldest segment and how far it is compacted, for people. Throws ProtocolError and StorageError. */
  kept(): readonly string[];
  /** Leaves everything as after a clean stop. Rejects with ProtocolError and StorageError. */
  close(): Promise<void>;
}

/** The directory is not one that this program can look after; the message says why. */
export class OfflineDirError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'OfflineDirError';
  }
}

/**
 * Does to a log dir, or to the folder of one partition, what the start of a broker would do: the same code over the
 * same files. Rejects with {@link OfflineDirError}, MetaPropertiesError, ProtocolError or StorageError.
 */
export async function openOffline(input: OfflineInput): Promise<OfflineLogs> {
  return isLogDir(input) ? openLogDir(input) : openFolder(input, folderOf(input));
}

/** The log dir that a running broker would lock, which is the parent of a partition's folder. Throws {@link OfflineDirError}. */
export function lockedDirOf(input: Pick<OfflineInput, 'dir' | 'ports'>): string {
  if (isLogDir(input)) return input.dir;
  folderOf(input);
  return parentOf(input.dir);
}

function isLogDir({ dir, ports }: Pick<OfflineInput, 'dir' | 'ports'>): boolean {
  const { storage } = ports;
  if (!storage.isDirectory(dir)) throw new OfflineDirError(`there is no directory ${dir}`);
  if (storage.sizeOf(`${dir}/${META_PROPERTIES}`) !== undefined) return true;
  return storage
    .list(dir)
    .some(({ name, isDirectory }) => isDirectory && parseFolder(name)?.kind === 'partition');
}

function folderOf({ dir, ports }: Pick<OfflineInput, 'dir' | 'ports'>): PartitionFolder {
  const folder = parseFolder(dir.slice(dir.lastIndexOf('/') + 1));
  const hasLog = ports.storage.list(dir).some(({ name }) => name.endsWith(LOG_SUFFIX));
  if (folder !== undefined && hasLog) return folder;
  throw new OfflineDirError(
    `${dir} is neither a log dir, which has a ${META_PROPERTIES}, nor the folder of a partition, TOPIC-NUMBER with .log files`,
  );
}

async function openFolder(
  { dir, ports, config }: OfflineInput,
  folder: PartitionFolder,
): Promise<OfflineLogs> {
  const parent = LogDir.open(parentOf(dir), ports.storage, ports.logger);
  const log = openLog({
    ...{ dir, ports, topic: folder.topic, partition: folder.partition },
    topicId: undefined,
    config: tolerant(logConfigOf(config, new Map())),
    shared: sharedLogState({ storage: ports.storage, random: ports.random, pool: ports.framePool }),
    cleanShutdown: false,
    recoveryPoint: 0,
    logStartOffset: parent.logStarts.get(dir.slice(dir.lastIndexOf('/') + 1)),
  });
  return {
    wasClean: undefined,
    partitionCount: 1,
    unknownTopics: undefined,
    kept: () => [SETTINGS_UNKNOWN],
    close: async () => {
      await log.flush();
      await log.close();
    },
  };
}

async function openLogDir(input: OfflineInput): Promise<OfflineLogs> {
  const { dir, ports, full } = input;
  const { storage, logger } = ports;
  const nodeId = readMetaProperties(storage, dir)?.nodeId;
  const brokerEpoch = readCleanShutdown(storage, dir);
  const cleanShutdown = brokerEpoch !== undefined && !full;
  if (full)
    for (const name of [CLEAN_SHUTDOWN_FILE, RECOVERY_POINT_CHECKPOINT]) storage.removeNow(`${dir}/${name}`);
  const metadata = await openMetadata(input, cleanShutdown);
  const { image } = metadata;
  const config =
    image === undefined || nodeId === undefined
      ? input.config
      : input.config.withDynamic(dynamicConfigsOf(image, nodeId));
  const logs = await LogManager.open({
    dirs: [dir],
    configFor: (topic) => {
      const isKnown = image?.topicsByName.has(topic) === true;
      const settings = logConfigOf(config, image?.configOf(ConfigResourceType.TOPIC, topic) ?? new Map());
      return isKnown ? settings : tolerant(settings);
    },
    ports,
  });
  if (image !== undefined && nodeId !== undefined) setStrayLogsAside(logs, image, nodeId, storage, logger);
  const partitionCount = [...logs.all()].length;
  for (const { name, isDirectory } of storage.list(dir)) {
    if (isDirectory && parseFolder(name)?.kind === 'delete') await storage.remove(`${dir}/${name}`);
  }
  return {
    wasClean: brokerEpoch !== undefined,
    partitionCount,
    unknownTopics: metadata.problem,
    kept: () => (image === undefined ? [SETTINGS_UNKNOWN] : keptLines(logs.all(), ports)),
    close: async () => {
      await Promise.all([...logs.all()].map((log) => log.flush()));
      await metadata.close();
      await logs.close(brokerEpoch ?? -1);
    },
  };
}

const SETTINGS_UNKNOWN =
  'What keeps segments is not known: the settings of topics are in the metadata log of a whole log dir';

function keptLines(logs: Iterable<PartitionLog>, { clock }: Ports): readonly string[] {
  const lines: string[] = [];
  for (const log of logs) {
    const name = `${log.topic}-${log.partition}`;
    lines.push(`${name} keeps segment ${log.firstSegmentOffset}: ${log.whyKept()}`);
    if (!log.config.cleanupPolicy.includes('compact')) continue;
    lines.push(`${name} is ${compactionText(log, clock.wallMs())}`);
  }
  return lines.sort();
}

interface OpenMetadata {
  readonly image: MetadataImage | undefined;
  /** Why there is no image. */
  readonly problem: string | undefined;
  close(): Promise<void>;
}

async function openMetadata(
  { dir, ports, config }: OfflineInput,
  cleanShutdown: boolean,
): Promise<OpenMetadata> {
  const folder = `${dir}/${METADATA_LOG_DIR}`;
  if (!ports.storage.isDirectory(folder)) {
    return { image: undefined, problem: `${dir} has no ${METADATA_LOG_DIR}`, close: async () => {} };
  }
  const log = openMetadataLog({ ports, dir: folder, config, cleanShutdown });
  const close = () => log.close();
  try {
    const image = await readMetadata(ports.storage, folder, new PartitionMetadataLog(log));
    return { image, problem: undefined, close };
  } catch (error) {
    return { image: undefined, problem: (error as Error).message, close };
  }
}

/** Where it is not known whether a topic is compacted, missing offsets are no damage. */
function tolerant(config: LogConfig): LogConfig {
  return { ...config, cleanupPolicy: ['compact', 'delete'] };
}

const parentOf = (dir: string): string => dir.slice(0, Math.max(1, dir.lastIndexOf('/')));
