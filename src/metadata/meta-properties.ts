import type { Storage, StoredFile } from '../base/ports.ts';
import { isUuid, type Uuid } from '../base/uuid.ts';

/** `meta.properties`: to which cluster and node a log dir belongs (KIP-631, KIP-858). */
export interface MetaProperties {
  readonly version: number;
  readonly clusterId: string;
  readonly nodeId: number;
  /** Undefined in folders that Kafka before 3.7 made. */
  readonly directoryId: Uuid | undefined;
}

export const META_PROPERTIES = 'meta.properties';
const MAX_BYTES = 64 * 1024;

/** A log dir's `meta.properties` is damaged or belongs to somebody else; the message says which file and what to do. */
export class MetaPropertiesError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MetaPropertiesError';
  }
}

/** Reads `meta.properties` of a log dir; undefined where there is none. Throws {@link MetaPropertiesError}. */
export function readMetaProperties(storage: Storage, dir: string): MetaProperties | undefined {
  const path = `${dir}/${META_PROPERTIES}`;
  const size = storage.sizeOf(path);
  if (size === undefined) return undefined;
  if (size > MAX_BYTES)
    throw new MetaPropertiesError(`${path} is ${size} bytes long; it should be a few lines`);
  const bytes = Buffer.alloc(size);
  const file = storage.open(path, 'read');
  try {
    file.read(bytes, 0);
  } finally {
    file.close();
  }
  return parseMetaProperties(bytes.toString('utf8'), path);
}

/** The content of a `meta.properties`; `path` is for messages. Throws {@link MetaPropertiesError}. */
export function parseMetaProperties(text: string, path: string): MetaProperties {
  const values = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#') || trimmed.startsWith('!')) continue;
    const separator = trimmed.search(/[=:]/);
    if (separator < 0) throw new MetaPropertiesError(`${path}: no value in "${trimmed}"`);
    values.set(trimmed.slice(0, separator).trim(), trimmed.slice(separator + 1).trim());
  }
  const version = wholeNumber(values.get('version') ?? '0', 'version', path);
  const node = values.get('node.id') ?? values.get('broker.id');
  const clusterId = values.get('cluster.id');
  if (version > 1)
    throw new MetaPropertiesError(`${path}: version ${version} is newer than what this broker knows (1)`);
  if (clusterId === undefined || clusterId === '')
    throw new MetaPropertiesError(`${path}: cluster.id is missing`);
  if (node === undefined) throw new MetaPropertiesError(`${path}: node.id is missing`);
  const directoryId = values.get('directory.id');
  if (directoryId !== undefined && !isUuid(directoryId)) {
    throw new MetaPropertiesError(`${path}: directory.id is "${directoryId}", which is not a uuid`);
  }
  return { version, clusterId, nodeId: wholeNumber(node, 'node.id', path), directoryId };
}

function wholeNumber(text: string, name: string, path: string): number {
  const value = Number(text);
  if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new MetaPropertiesError(`${path}: ${name} is "${text}", not a whole number`);
  }
  return value;
}

/** Writes `meta.properties` so that a crash leaves the old file or the new one. */
export async function writeMetaProperties(
  storage: Storage,
  dir: string,
  properties: { readonly clusterId: string; readonly nodeId: number; readonly directoryId: Uuid },
): Promise<void> {
  const text =
    `#\nnode.id=${properties.nodeId}\ndirectory.id=${properties.directoryId}\n` +
    `version=1\ncluster.id=${properties.clusterId}\n`;
  const temporary = `${dir}/${META_PROPERTIES}.tmp`;
  const file = storage.open(temporary, 'truncate');
  try {
    writeAll(file, Buffer.from(text));
    await file.sync();
  } finally {
    file.close();
  }
  storage.rename(temporary, `${dir}/${META_PROPERTIES}`);
  await storage.syncDir(dir);
}

function writeAll(file: StoredFile, bytes: Buffer): void {
  const written = file.write([bytes], 0);
  if (written < bytes.length)
    throw new MetaPropertiesError(`${file.path}: only ${written} bytes could be written`);
}

export interface WantedIdentity {
  /** Undefined: any. */
  readonly clusterId: string | undefined;
  /** The file that says so, where it is another log dir's; undefined where it was asked for from outside. */
  readonly clusterIdFrom?: string | undefined;
  readonly nodeId: number;
}

/** Stops a node whose log dir belongs to another cluster or node. Throws {@link MetaPropertiesError}. */
export function checkMetaProperties(found: MetaProperties, wanted: WantedIdentity, dir: string): void {
  const path = `${dir}/${META_PROPERTIES}`;
  const { clusterId, clusterIdFrom } = wanted;
  if (clusterId !== undefined && found.clusterId !== clusterId) {
    throw new MetaPropertiesError(
      clusterIdFrom === undefined
        ? `this node is to be part of cluster ${clusterId}, but ${path} says that its data belongs to cluster ` +
            `${found.clusterId}. Either start it as part of ${found.clusterId}, or give it a log dir of its own ` +
            '(log.dirs) or an empty one'
        : `${path} says that its data belongs to cluster ${found.clusterId}, but ${clusterIdFrom} names cluster ` +
            `${clusterId}, and a node is part of one. Either take the log dir that is not this node's out of ` +
            'log.dirs, or empty it if its data may go',
    );
  }
  if (found.nodeId !== wanted.nodeId) {
    throw new MetaPropertiesError(
      `node.id is ${wanted.nodeId}, but ${path} says that its data belongs to node ${found.nodeId}. Either set ` +
        `node.id=${found.nodeId}, or give this node a log dir of its own (log.dirs) or an empty one`,
    );
  }
}
