import { DEFAULT_MAX_PLAIN_BYTES } from '../../protocol/record-batch/index.ts';
import {
  innerMessages,
  MESSAGE_CRC_AT,
  type MessageSlot,
  messageCodec,
  messageCrcIsValid,
  messageMagic,
  messageOffset,
  messageTimestampType,
  readMessage,
  type Wrapper,
  wrapperOf,
} from '../../protocol/record-batch/message-set.ts';
import type { BatchFormat, DumpedRecord } from './batch-format.ts';

/** Messages of formats 0 and 1, as brokers before 0.11 wrote them; a compressed one stands for those in it. */
export const oldFormat: BatchFormat = {
  lastOffset: (bytes) => messageOffset(bytes, 0),
  isControl: () => false,
  *records(bytes) {
    const slot = { bytes, at: 0, offset: messageOffset(bytes, 0) };
    const type = typeText(bytes);
    if (messageCodec(bytes, 0) === 'none') {
      yield dumped(slot, type);
      return;
    }
    const wrapper = wrapperOf(slot);
    for (const inner of innerMessages(slot, DEFAULT_MAX_PLAIN_BYTES)) yield dumped(inner, type, wrapper);
  },
  line(bytes, position) {
    const { timestamp } = readMessage({ bytes, at: 0, offset: 0 });
    return (
      `offset: ${messageOffset(bytes, 0)} position: ${position} ${typeText(bytes)}: ${timestamp}` +
      ` size: ${bytes.length} magic: ${messageMagic(bytes, 0)}` +
      ` compresscodec: ${messageCodec(bytes, 0) ?? 'unknown'} crc: ${crcOf({ bytes, at: 0 })}` +
      ` isvalid: ${messageCrcIsValid(bytes, 0)}`
    );
  },
};

const typeText = (bytes: Uint8Array): string => messageTimestampType(bytes, 0) ?? 'NoTimestampType';

function dumped(slot: MessageSlot, type: string, wrapper?: Wrapper): DumpedRecord {
  const message = readMessage(slot, wrapper);
  const { offset, timestamp, key, value } = message;
  const sizes = `keySize: ${key?.length ?? -1} valueSize: ${value?.length ?? -1}`;
  const metadata = () => {
    const isValid = messageCrcIsValid(slot.bytes, slot.at);
    return `| offset: ${offset} ${type}: ${timestamp} ${sizes} isValid: ${isValid} crc: ${crcOf(slot)}`;
  };
  return { ...message, headers: [], metadata };
}

const crcOf = ({ bytes, at }: Pick<MessageSlot, 'bytes' | 'at'>): number =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).readUInt32BE(at + MESSAGE_CRC_AT);
