import { decodeRecord, metadataRecordSchema } from '../../metadata/records.ts';
import { decodeFrom } from '../../protocol/codec.ts';
import {
  type CoordinatorRecordTypes,
  decodeCoordinatorRecord,
  UnknownCoordinatorRecordError,
} from '../../protocol/coordinator-record.ts';
import { GroupMetadataValue } from '../../protocol/group-records/group-metadata.ts';
import { groupRecordTypes } from '../../protocol/group-records/types.ts';
import { type Json, type JsonObject, jsonText, messageJson } from '../../protocol/message-json.ts';
import {
  ConsumerProtocolAssignment,
  ConsumerProtocolSubscription,
} from '../../protocol/messages/consumer-protocol.ts';
import { Reader } from '../../protocol/reader.ts';
import type { KafkaRecord } from '../../protocol/record-batch/index.ts';
import type { AnyMessage } from '../../protocol/schema.ts';
import { shareRecordTypes } from '../../protocol/share-records/types.ts';
import { transactionRecordTypes } from '../../protocol/transaction-records/types.ts';
import { DumpError } from './dump-error.ts';
import type { DumpLogOptions, InternalTopic } from './options.ts';

/** What is printed of a record's key and value; nothing of what is undefined. */
export interface Contents {
  readonly key?: string | undefined;
  readonly value?: string | undefined;
}

export type RecordDecoder = (record: KafkaRecord) => Contents;

/** Replaces parts of a decoded value that hold more than its schema tells. */
type Refine = (schema: AnyMessage, json: JsonObject) => void;

export function recordDecoder(options: DumpLogOptions): RecordDecoder {
  const { internalTopic, keyDecoder, valueDecoder } = options;
  if (internalTopic !== undefined) return decoderOf(internalTopic);
  return ({ key, value }) => ({
    key: key === null ? undefined : keyDecoder(key),
    value: value === null ? undefined : valueDecoder(value),
  });
}

function decoderOf(topic: InternalTopic): RecordDecoder {
  switch (topic) {
    case 'offsets':
      return coordinatorDecoder(groupRecordTypes, unfoldConsumers);
    case 'transaction-log':
      return coordinatorDecoder(transactionRecordTypes);
    case 'share-group-state':
      return coordinatorDecoder(shareRecordTypes);
    case 'cluster-metadata':
      return decodeMetadata;
  }
}

function coordinatorDecoder(types: CoordinatorRecordTypes, refine?: Refine): RecordDecoder {
  return (record) => {
    if (record.key === null) {
      throw new DumpError(
        `the record at offset ${record.offset} has no key, which those of that internal topic have; another decoder may fit`,
      );
    }
    try {
      const { type, schemas, key, value } = decodeCoordinatorRecord(types, record.key, record.value);
      const keyText = jsonText({
        type: String(type),
        data: messageJson(schemas.key, schemas.key.lastVersion, key),
      });
      if (value === undefined) return { key: keyText, value: '<DELETE>' };
      const data = messageJson(schemas.value, value.version, value.message);
      refine?.(schemas.value, data);
      return { key: keyText, value: jsonText({ version: String(value.version), data }) };
    } catch (error) {
      if (error instanceof UnknownCoordinatorRecordError) {
        return { key: `Unknown record type ${error.type} at offset ${record.offset}, skipping.` };
      }
      return { key: `Error at offset ${record.offset}, skipping. ${(error as Error).message}` };
    }
  };
}

function decodeMetadata(record: KafkaRecord): Contents {
  try {
    const { type, version, data } = decodeRecord(record.value ?? new Uint8Array());
    const name = type.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase();
    return {
      value: jsonText({ type: name, version, data: messageJson(metadataRecordSchema(type), version, data) }),
    };
  } catch (error) {
    return { value: `Error at ${record.offset}, skipping. ${(error as Error).message}` };
  }
}

/** Members of the classic protocol bring what they want and get as bytes that only consumers understand. */
function unfoldConsumers(schema: AnyMessage, json: JsonObject): void {
  if (schema !== GroupMetadataValue || json['protocolType'] !== 'consumer') return;
  for (const member of json['members'] as JsonObject[]) {
    member['subscription'] = unfolded(member['subscription']!, ConsumerProtocolSubscription);
    member['assignment'] = unfolded(member['assignment']!, ConsumerProtocolAssignment);
  }
}

/** The bytes stay where they are nothing of the kind. */
function unfolded(json: Json, schema: AnyMessage): Json {
  try {
    const reader = new Reader(json as Uint8Array);
    const version = reader.int16();
    return messageJson(schema, version, decodeFrom(schema, version, reader));
  } catch {
    return json;
  }
}
