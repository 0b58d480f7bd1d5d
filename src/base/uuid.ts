import type { Random } from './ports.ts';

declare const uuidBrand: unique symbol;
/** 16 bytes in the 22-character base64url form that Kafka prints. */
export type Uuid = string & { readonly [uuidBrand]: true };

const UUID_BYTES = 16;
const UUID_CHARACTERS = 22;
const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
/** Beyond the 6 bits of a character. */
const NO_VALUE = 64;
/** What each ASCII character stands for. */
const BASE64URL_VALUES: Readonly<Uint8Array> = Uint8Array.from({ length: 128 }, (_, code) => {
  const value = BASE64URL.indexOf(String.fromCharCode(code));
  return value < 0 ? NO_VALUE : value;
});
export const ZERO_UUID = 'AAAAAAAAAAAAAAAAAAAAAA' as Uuid;
/** The id of `__cluster_metadata` (KIP-500): all zero but a last byte of 1. */
export const METADATA_TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAQ' as Uuid;

/** The uuid in the 16 bytes at `at`; RangeError where they are not all there. */
export function uuidFromBytes(bytes: Uint8Array, at: number): Uuid {
  if (at + UUID_BYTES > bytes.length) throw new RangeError('a uuid takes 16 bytes');
  return Buffer.from(bytes.buffer, bytes.byteOffset + at, UUID_BYTES).toString('base64url') as Uuid;
}

/** Writes the 16 bytes of `uuid` at `at`. Several times faster than a call into Buffer's own decoder. */
export function uuidToBytes(uuid: Uuid, into: Uint8Array, at: number): void {
  if (at + UUID_BYTES > into.length) throw new RangeError('a uuid takes 16 bytes');
  let bits = 0;
  let left = 0;
  let to = at;
  let seen = 0;
  for (let index = 0; index < UUID_CHARACTERS; index++) {
    // Behind the end there is NaN, which stands for no value.
    const value = BASE64URL_VALUES[uuid.charCodeAt(index)] ?? NO_VALUE;
    seen |= value;
    bits = ((bits << 6) | value) & 0xffff;
    left += 6;
    if (left < 8) continue;
    left -= 8;
    into[to++] = bits >> left;
  }
  if (seen >= NO_VALUE || uuid.length !== UUID_CHARACTERS) throw new RangeError(`not a uuid: ${uuid}`);
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
