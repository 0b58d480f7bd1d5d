/** XXH3, 64 bits, without a seed: the hash of https://github.com/Cyan4973/xxHash. Not against attackers. */

const PRIME32_1 = 0x9e3779b1n;
const PRIME32_2 = 0x85ebca77n;
const PRIME32_3 = 0xc2b2ae3dn;
const PRIME64_1 = 0x9e3779b185ebca87n;
const PRIME64_2 = 0xc2b2ae3d27d4eb4fn;
const PRIME64_3 = 0x165667b19e3779f9n;
const PRIME64_4 = 0x85ebca77c2b2ae63n;
const PRIME64_5 = 0x27d4eb2f165667c5n;
const PRIME_MX1 = 0x165667919e3779f9n;
const PRIME_MX2 = 0x9fb21c651e98df25n;

const SECRET = Buffer.from(
  'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221' +
    'b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8a8' +
    'fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb17' +
    '0ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e',
  'hex',
);

const STRIPE_BYTES = 64;
const LANES = 8;
const LANE_BYTES = 8;
const STRIPES_IN_BLOCK = (SECRET.length - STRIPE_BYTES) / LANE_BYTES;
const BLOCK_BYTES = STRIPES_IN_BLOCK * STRIPE_BYTES;
const LOW_32 = 0xffff_ffffn;
const MIXED_BYTES = 16;

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const secret = (at: number): bigint => SECRET.readBigUInt64LE(at);

/** The hash as an unsigned number. */
export function xxh3(bytes: Uint8Array): bigint {
  const input = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const { length } = input;
  if (length <= 16) return upTo16(input);
  if (length <= 128) return upTo128(input);
  return length <= 240 ? upTo240(input) : long(input);
}

function upTo16(input: Buffer): bigint {
  const { length } = input;
  if (length > 8) {
    const low = input.readBigUInt64LE(0) ^ secret(24) ^ secret(32);
    const high = input.readBigUInt64LE(length - 8) ^ secret(40) ^ secret(48);
    return avalanche(BigInt(length) + swapped(low) + high + folded(low, high));
  }
  if (length >= 4) {
    const value = (BigInt(input.readUInt32LE(0)) << 32n) + BigInt(input.readUInt32LE(length - 4));
    return strongAvalanche(value ^ secret(8) ^ secret(16), length);
  }
  if (length === 0) return avalanche64(secret(56) ^ secret(64));
  const value = (input[0]! << 16) | (input[length >> 1]! << 24) | input[length - 1]! | (length << 8);
  return avalanche64(BigInt((value ^ SECRET.readUInt32LE(0) ^ SECRET.readUInt32LE(4)) >>> 0));
}

function upTo128(input: Buffer): bigint {
  const { length } = input;
  let hash = BigInt(length) * PRIME64_1;
  // From both ends inwards, as far as the halves reach.
  for (let pair = Math.ceil(length / 32) - 1; pair >= 0; pair--) {
    hash += mixed(input, pair * MIXED_BYTES, pair * 32);
    hash += mixed(input, length - (pair + 1) * MIXED_BYTES, pair * 32 + MIXED_BYTES);
  }
  return avalanche(hash);
}

function upTo240(input: Buffer): bigint {
  const { length } = input;
  const rounds = Math.floor(length / MIXED_BYTES);
  let hash = BigInt(length) * PRIME64_1;
  for (let i = 0; i < 8; i++) hash += mixed(input, i * MIXED_BYTES, i * MIXED_BYTES);
  hash = avalanche(hash);
  for (let i = 8; i < rounds; i++) hash += mixed(input, i * MIXED_BYTES, (i - 8) * MIXED_BYTES + 3);
  return avalanche(hash + mixed(input, length - MIXED_BYTES, 119));
}

function long(input: Buffer): bigint {
  const { length } = input;
  const lanes = BigUint64Array.of(
    ...[PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1],
  );
  const blocks = Math.floor((length - 1) / BLOCK_BYTES);
  for (let block = 0; block < blocks; block++) {
    addStripes(lanes, input, block * BLOCK_BYTES, STRIPES_IN_BLOCK);
    scramble(lanes);
  }
  const rest = blocks * BLOCK_BYTES;
  addStripes(lanes, input, rest, Math.floor((length - 1 - rest) / STRIPE_BYTES));
  addStripe(lanes, input, length - STRIPE_BYTES, SECRET.length - STRIPE_BYTES - 7);
  let hash = BigInt(length) * PRIME64_1;
  for (let i = 0; i < LANES; i += 2) {
    const at = 11 + i * LANE_BYTES;
    hash += folded(lanes[i]! ^ secret(at), lanes[i + 1]! ^ secret(at + LANE_BYTES));
  }
  return avalanche(hash);
}

function addStripes(lanes: BigUint64Array, input: Buffer, from: number, count: number): void {
  for (let i = 0; i < count; i++) addStripe(lanes, input, from + i * STRIPE_BYTES, i * LANE_BYTES);
}

function addStripe(lanes: BigUint64Array, input: Buffer, at: number, secretAt: number): void {
  for (let i = 0; i < LANES; i++) {
    const value = input.readBigUInt64LE(at + i * LANE_BYTES);
    const keyed = value ^ secret(secretAt + i * LANE_BYTES);
    lanes[i ^ 1] = lanes[i ^ 1]! + value;
    lanes[i] = lanes[i]! + (keyed & LOW_32) * (keyed >> 32n);
  }
}

function scramble(lanes: BigUint64Array): void {
  for (let i = 0; i < LANES; i++) {
    const lane = lanes[i]!;
    lanes[i] = (lane ^ (lane >> 47n) ^ secret(SECRET.length - STRIPE_BYTES + i * LANE_BYTES)) * PRIME32_1;
  }
}

function mixed(input: Buffer, at: number, secretAt: number): bigint {
  const low = input.readBigUInt64LE(at) ^ secret(secretAt);
  return folded(low, input.readBigUInt64LE(at + LANE_BYTES) ^ secret(secretAt + LANE_BYTES));
}

/** Both halves of the product, one over the other. */
function folded(a: bigint, b: bigint): bigint {
  const product = a * b;
  return u64(product) ^ (product >> 64n);
}

function avalanche(value: bigint): bigint {
  let hash = u64(value);
  hash ^= hash >> 37n;
  hash = u64(hash * PRIME_MX1);
  return hash ^ (hash >> 32n);
}

/** The one of XXH64. */
function avalanche64(value: bigint): bigint {
  let hash = value ^ (value >> 33n);
  hash = u64(hash * PRIME64_2);
  hash ^= hash >> 29n;
  hash = u64(hash * PRIME64_3);
  return hash ^ (hash >> 32n);
}

function strongAvalanche(value: bigint, length: number): bigint {
  let hash = value ^ rotated(value, 49n) ^ rotated(value, 24n);
  hash = u64(hash * PRIME_MX2);
  hash ^= (hash >> 35n) + BigInt(length);
  hash = u64(hash * PRIME_MX2);
  return hash ^ (hash >> 28n);
}

function rotated(value: bigint, bits: bigint): bigint {
  return u64(value << bits) | (value >> (64n - bits));
}

function swapped(value: bigint): bigint {
  const bytes = Buffer.allocUnsafe(LANE_BYTES);
  bytes.writeBigUInt64LE(value);
  return bytes.readBigUInt64BE();
}
