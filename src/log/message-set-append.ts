import { CorruptCompressionError, OutputTooLargeError } from '../protocol/compression/codec.ts';
import { Errors, ProtocolError } from '../protocol/errors.ts';
import { CURRENT_MAGIC } from '../protocol/record-batch/header.ts';
import {
  InvalidMessageError,
  innerMessages,
  type Message,
  type MessageSlot,
  messageCodec,
  messageCrcIsValid,
  messageMagic,
  messageOffset,
  messageTimestampType,
  readMessage,
  wrapperOf,
} from '../protocol/record-batch/message-set.ts';
import {
  batchBuilderFor,
  checkedSize,
  nextBatchSize,
  targetCodec,
  type ValidationSettings,
  type ValidationTools,
} from './log-validator.ts';
import { RecordChecks } from './record-checks.ts';

/**
 * One batch of format 2 with the messages of a message set, checked for the leader as {@link validateForLeader} does; no
 * bytes where the set has no whole message. The codec is that of the set unless the topic wants another. Keeps no view of
 * `bytes`. Throws ProtocolError, a RecordValidationError where single messages are to blame.
 */
export function convertMessageSet(
  bytes: Buffer,
  settings: ValidationSettings,
  tools: ValidationTools,
  nowMs: number,
): Buffer {
  const messages = checkMessages(bytes, settings.maxMessageBytes);
  if (messages.length === 0) return bytes.subarray(0, 0);
  const wrapper = messages.find((one) => messageCodec(one.bytes, one.at) !== 'none');
  if (wrapper !== undefined && messages.length > 1) {
    throw new ProtocolError(Errors.INVALID_RECORD, 'a compressed message has others beside it');
  }
  const source = (wrapper && messageCodec(wrapper.bytes, wrapper.at)) ?? 'none';
  const builder = batchBuilderFor(targetCodec(settings, source), settings, nowMs, {});
  const take = ({ timestamp, key, value }: Message): void => {
    builder.append({ timestamp, key, value });
  };
  try {
    if (wrapper === undefined) {
      for (const one of messages) takePlain(one, messages[0]!, settings, nowMs, take);
    } else takeInner(wrapper, settings, tools, nowMs, take);
  } catch (error) {
    throw asProtocolError(error);
  }
  return checkedSize(builder.build(), settings);
}

/** Sizes, formats and CRCs, of the outer messages alone. */
function checkMessages(bytes: Buffer, messageBytesMax: number): readonly MessageSlot[] {
  const messages: MessageSlot[] = [];
  let at = 0;
  for (let size = nextBatchSize(bytes, at); size !== -1; size = nextBatchSize(bytes, at)) {
    if (size > messageBytesMax) {
      const text = `a message has ${size} bytes, and max.message.bytes is ${messageBytesMax}`;
      throw new ProtocolError(Errors.MESSAGE_TOO_LARGE, text);
    }
    if (messageMagic(bytes, at) === CURRENT_MAGIC) {
      throw new ProtocolError(Errors.INVALID_RECORD, 'a record batch stands among messages of older formats');
    }
    if (!messageCrcIsValid(bytes, at)) {
      throw new ProtocolError(Errors.CORRUPT_MESSAGE, 'a message does not fit its CRC');
    }
    if (messageCodec(bytes, at) === undefined) {
      throw new ProtocolError(Errors.UNSUPPORTED_COMPRESSION_TYPE, 'a message has an unknown codec');
    }
    messages.push({ bytes, at, offset: messageOffset(bytes, at) });
    at += size;
  }
  return messages;
}

/** Each uncompressed message counts as a batch of its own, so the first bad one decides. */
function takePlain(
  slot: MessageSlot,
  first: MessageSlot,
  settings: ValidationSettings,
  nowMs: number,
  take: (message: Message) => void,
): void {
  if (messageMagic(slot.bytes, slot.at) !== messageMagic(first.bytes, first.at)) {
    throw new InvalidMessageError('invalid', 'messages of format 0 and 1 stand side by side');
  }
  const checks = new RecordChecks(settings, messageTimestampType(slot.bytes, slot.at), nowMs);
  const message = readMessage(slot);
  checkMessage(message, checks);
  checks.finish();
  take(message);
}

function takeInner(
  slot: MessageSlot,
  settings: ValidationSettings,
  { options, scratch }: ValidationTools,
  nowMs: number,
  take: (message: Message) => void,
): void {
  const wrapper = wrapperOf(slot);
  const magic = messageMagic(slot.bytes, slot.at);
  const checks = new RecordChecks(settings, wrapper.timestampType, nowMs);
  for (const inner of innerMessages(slot, options.plainBytesMax, scratch)) {
    if (messageCodec(inner.bytes, inner.at) !== 'none') {
      throw new InvalidMessageError('invalid', 'a compressed message holds another compressed one');
    }
    if (messageMagic(inner.bytes, inner.at) !== magic) {
      checks.refuse(`the message has not the format ${magic} of the compressed one that it is in`);
      continue;
    }
    if (!messageCrcIsValid(inner.bytes, inner.at)) {
      throw new InvalidMessageError('corrupt', 'a message in a compressed one does not fit its CRC');
    }
    const message = readMessage(inner, wrapper);
    checkMessage(message, checks);
    if (!checks.failed) take(message);
  }
  checks.finish();
}

function checkMessage(message: Message, checks: RecordChecks): void {
  // What format 2 can hold, older ones never could: no producer that writes them knows a time before 1970.
  if (message.timestamp < -1n) checks.refuseTime(`the timestamp ${message.timestamp} is negative`);
  else checks.check(message);
}

function asProtocolError(error: unknown): unknown {
  if (error instanceof InvalidMessageError) {
    const code = error.failure === 'corrupt' ? Errors.CORRUPT_MESSAGE : Errors.INVALID_RECORD;
    return new ProtocolError(code, error.message);
  }
  if (error instanceof OutputTooLargeError) {
    return new ProtocolError(Errors.MESSAGE_TOO_LARGE, error.message);
  }
  if (error instanceof CorruptCompressionError) {
    return new ProtocolError(Errors.INVALID_RECORD, error.message);
  }
  return error;
}
