import { decode, defaults, encode } from '../protocol/codec.ts';
import { AbortTransactionRecord } from '../protocol/metadata-records/abort-transaction-record.ts';
import { AccessControlEntryRecord } from '../protocol/metadata-records/access-control-entry-record.ts';
import { BeginTransactionRecord } from '../protocol/metadata-records/begin-transaction-record.ts';
import { BrokerRegistrationChangeRecord } from '../protocol/metadata-records/broker-registration-change-record.ts';
import { ClearElrRecord } from '../protocol/metadata-records/clear-elr-record.ts';
import { ClientQuotaRecord } from '../protocol/metadata-records/client-quota-record.ts';
import { ConfigRecord } from '../protocol/metadata-records/config-record.ts';
import { DelegationTokenRecord } from '../protocol/metadata-records/delegation-token-record.ts';
import { EndTransactionRecord } from '../protocol/metadata-records/end-transaction-record.ts';
import { FeatureLevelRecord } from '../protocol/metadata-records/feature-level-record.ts';
import { FenceBrokerRecord } from '../protocol/metadata-records/fence-broker-record.ts';
import { NoOpRecord } from '../protocol/metadata-records/no-op-record.ts';
import { PartitionChangeRecord } from '../protocol/metadata-records/partition-change-record.ts';
import { PartitionRecord } from '../protocol/metadata-records/partition-record.ts';
import { ProducerIdsRecord } from '../protocol/metadata-records/producer-ids-record.ts';
import { RegisterBrokerRecord } from '../protocol/metadata-records/register-broker-record.ts';
import { RegisterControllerRecord } from '../protocol/metadata-records/register-controller-record.ts';
import { RemoveAccessControlEntryRecord } from '../protocol/metadata-records/remove-access-control-entry-record.ts';
import { RemoveDelegationTokenRecord } from '../protocol/metadata-records/remove-delegation-token-record.ts';
import { RemoveTopicRecord } from '../protocol/metadata-records/remove-topic-record.ts';
import { RemoveUserScramCredentialRecord } from '../protocol/metadata-records/remove-user-scram-credential-record.ts';
import { TopicRecord } from '../protocol/metadata-records/topic-record.ts';
import { UnfenceBrokerRecord } from '../protocol/metadata-records/unfence-broker-record.ts';
import { UnregisterBrokerRecord } from '../protocol/metadata-records/unregister-broker-record.ts';
import { UnregisterControllerRecord } from '../protocol/metadata-records/unregister-controller-record.ts';
import { UserScramCredentialRecord } from '../protocol/metadata-records/user-scram-credential-record.ts';
import { ZkMigrationStateRecord } from '../protocol/metadata-records/zk-migration-state-record.ts';
import type { AnyMessage, Infer } from '../protocol/schema.ts';
import { Writer } from '../protocol/writer.ts';

/** Every record of `__cluster_metadata`, by the name of its schema. */
const schemas = {
  AbortTransactionRecord,
  AccessControlEntryRecord,
  BeginTransactionRecord,
  BrokerRegistrationChangeRecord,
  ClearElrRecord,
  ClientQuotaRecord,
  ConfigRecord,
  DelegationTokenRecord,
  EndTransactionRecord,
  FeatureLevelRecord,
  FenceBrokerRecord,
  NoOpRecord,
  PartitionChangeRecord,
  PartitionRecord,
  ProducerIdsRecord,
  RegisterBrokerRecord,
  RegisterControllerRecord,
  RemoveAccessControlEntryRecord,
  RemoveDelegationTokenRecord,
  RemoveTopicRecord,
  RemoveUserScramCredentialRecord,
  TopicRecord,
  UnfenceBrokerRecord,
  UnregisterBrokerRecord,
  UnregisterControllerRecord,
  UserScramCredentialRecord,
  ZkMigrationStateRecord,
} as const;

type Schemas = typeof schemas;
export type MetadataRecordType = keyof Schemas;
/** The body of a record of the named type. */
export type RecordData<K extends MetadataRecordType> = Infer<Schemas[K]>;
export type MetadataRecordOf<K extends MetadataRecordType> = {
  readonly type: K;
  readonly version: number;
  readonly data: RecordData<K>;
};
/** A record of `__cluster_metadata` with the version that it is written in. */
export type MetadataRecord = { [K in MetadataRecordType]: MetadataRecordOf<K> }[MetadataRecordType];

/** The shape of a record's data. */
export function metadataRecordSchema(type: MetadataRecordType): AnyMessage {
  return schemas[type];
}

const FRAME_VERSION = 1;
const MAX_UINT16_VARINT = 0x7fff;

const typeByKey: ReadonlyMap<number, MetadataRecordType> = new Map(
  (Object.keys(schemas) as MetadataRecordType[]).map((type) => [schemas[type].apiKey, type]),
);

/** What stands in a metadata record's value cannot be read: another frame, an unknown type or version, or damage. */
export class MetadataRecordError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'MetadataRecordError';
  }
}

/** A record with the fields that are not given at their defaults. */
export function record<K extends MetadataRecordType>(
  type: K,
  version: number,
  data: Partial<RecordData<K>>,
): MetadataRecord {
  const full = defaults(schemas[type] as never, data as never);
  return { type, version, data: full } as unknown as MetadataRecord;
}

/** The value bytes of a metadata record: frame version, type and version as varints, then the body. */
export function encodeRecord(one: MetadataRecord): Buffer {
  const schema = schemas[one.type];
  const writer = new Writer();
  encode(schema as never, one.version, one.data as never, writer);
  const body = writer.bytes();
  const head: number[] = [];
  for (const number of [FRAME_VERSION, schema.apiKey, one.version]) pushVarint(head, number);
  const bytes = Buffer.allocUnsafe(head.length + body.length);
  bytes.set(head, 0);
  bytes.set(body, head.length);
  return bytes;
}

/** The record in the value bytes; nothing of the result points into them. Throws {@link MetadataRecordError}. */
export function decodeRecord(bytes: Uint8Array): MetadataRecord {
  const at = { position: 0 };
  const frame = readVarint(bytes, at);
  if (frame !== FRAME_VERSION)
    throw new MetadataRecordError(`the frame version ${frame} of a metadata record is unknown`);
  const key = readVarint(bytes, at);
  const type = typeByKey.get(key);
  if (type === undefined) throw new MetadataRecordError(`metadata record of unknown type ${key}`);
  const version = readVarint(bytes, at);
  const schema = schemas[type];
  if (version < schema.firstVersion || version > schema.lastVersion) {
    throw new MetadataRecordError(`${type} in version ${version}, which this broker does not know`);
  }
  try {
    // Bytes fields are views of what they were read from; a copy makes the record outlive the batch.
    const own = Uint8Array.prototype.slice.call(bytes, at.position);
    return { type, version, data: decode(schema as never, version, own) } as unknown as MetadataRecord;
  } catch (error) {
    throw new MetadataRecordError(`${type} v${version} cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** What the metadata log's entries are made of, for `RaftNode`. */
export const recordSerde = { encode: encodeRecord, decode: decodeRecord } as const;

function pushVarint(into: number[], value: number): void {
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) into.push((rest & 0x7f) | 0x80);
  into.push(rest);
}

function readVarint(bytes: Uint8Array, at: { position: number }): number {
  let value = 0;
  for (let shift = 0; shift <= 14; shift += 7) {
    const byte = bytes[at.position++];
    if (byte === undefined) throw new MetadataRecordError('metadata record cut short in its frame');
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      if (value > MAX_UINT16_VARINT) break;
      return value;
    }
  }
  throw new MetadataRecordError('metadata record with an overlong number in its frame');
}
