import type { Random } from './ports.ts';

declare const uuidBrand: unique symbol;
/** 16 bytes in the 22-character base64url form that Kafka prints. */
export type Uuid = string & { readonly [uuidBrand]: true };

const UUID_BYTES = 16;
export const ZERO_UUID = 'AAAAAAAAAAAAAAAAAAAAAA' as Uuid;
/** The id of `__cluster_metadata` (KIP-500): all zero but a last byte of 1. */
export const METADATA_TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAQ' as Uuid;

/** The uuid in the 16 bytes at `at`; RangeError where they are not all there. */
export function uuidFromBytes(bytes: Uint8Array, at: number): Uuid {
  if (at + UUID_BYTES > bytes.length) throw new RangeError('a uuid takes 16 bytes');
  return Buffer.from(bytes.buffer, bytes.byteOffset + at, UUID_BYTES).toString('base64url') as Uuid;
}

/** Writes the 16 bytes of `uuid` at `at`. */
export function uuidToBytes(uuid: Uuid, into: Uint8Array, at: number): void {
  const target = Buffer.from(into.buffer, into.byteOffset + at, UUID_BYTES);
  if (target.write(uuid, 'base64url') !== UUID_BYTES) throw new RangeError(`not a uuid: ${uuid}`);
}

/** Whether `text` is a uuid as Kafka prints it. */
export function isUuid(text: string): text is Uuid {
  return /^[A-Za-z0-9_-]{21}[AQgw]$/.test(text);
}

/** A random (version 4) uuid that does not begin with a dash, which command lines would take for a flag. */
export function randomUuid(random: Random): Uuid {
  const bytes = new Uint8Array(UUID_BYTES);
  for (;;) {
    random.fill(bytes);
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
    const uuid = uuidFromBytes(bytes, 0);
    if (!uuid.startsWith('-')) return uuid;
  }
}
