import * as header from '../../protocol/record-batch/header.ts';
import { type KafkaRecord, records } from '../../protocol/record-batch/index.ts';
import type { BatchFormat, DumpedRecord } from './batch-format.ts';
import { controlText } from './control-records.ts';

type Bytes = Uint8Array;

/** Batches since Kafka 0.11. */
export const currentFormat: BatchFormat = {
  lastOffset: (bytes) => header.lastOffset(bytes, 0),
  isControl: (bytes) => header.isControl(bytes, 0),
  *records(bytes): Generator<DumpedRecord, void, undefined> {
    for (const record of records(bytes)) yield { ...record, metadata: () => metadataText(bytes, record) };
  },
  line(bytes, position) {
    const horizon = header.hasDeleteHorizon(bytes, 0) ? `[${header.baseTimestamp(bytes, 0)}]` : '.empty';
    const codec = header.compressionOf(bytes, 0) ?? `unknown(${header.compressionId(bytes, 0)})`;
    return (
      `baseOffset: ${header.baseOffset(bytes, 0)} lastOffset: ${header.lastOffset(bytes, 0)}` +
      ` count: ${header.recordCount(bytes, 0)} baseSequence: ${header.baseSequence(bytes, 0)}` +
      ` lastSequence: ${header.lastSequence(bytes, 0)} producerId: ${header.producerId(bytes, 0)}` +
      ` producerEpoch: ${header.producerEpoch(bytes, 0)}` +
      ` partitionLeaderEpoch: ${header.partitionLeaderEpoch(bytes, 0)}` +
      ` isTransactional: ${header.isTransactional(bytes, 0)} isControl: ${header.isControl(bytes, 0)}` +
      ` deleteHorizonMs: OptionalLong${horizon} position: ${position}` +
      ` ${header.timestampType(bytes, 0)}: ${header.maxTimestamp(bytes, 0)} size: ${bytes.length}` +
      ` magic: ${header.magic(bytes, 0)} compresscodec: ${codec} crc: ${header.crc(bytes, 0)}` +
      ` isvalid: ${header.crcIsValid(bytes, 0)}`
    );
  },
};

function metadataText(bytes: Bytes, record: KafkaRecord): string {
  const base = header.baseSequence(bytes, 0);
  const sequence = base < 0 ? -1 : header.addToSequence(base, record.offset - header.baseOffset(bytes, 0));
  return (
    `| offset: ${record.offset} ${header.timestampType(bytes, 0)}: ${record.timestamp}` +
    ` keySize: ${record.key?.length ?? -1} valueSize: ${record.value?.length ?? -1} sequence: ${sequence}` +
    ` headerKeys: [${record.headers.map(({ key }) => key).join(',')}]` +
    (header.isControl(bytes, 0) ? controlText(record) : '')
  );
}
