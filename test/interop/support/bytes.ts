/**
 * The tests' own encoding of Kafka's primitives. It shares no code with `src/protocol` on purpose: a mistake there must
 * not be able to hide here.
 */

export class Out {
  #parts: Buffer[] = [];

  raw(bytes: Uint8Array): this {
    this.#parts.push(Buffer.from(bytes));
    return this;
  }

  int8(value: number): this {
    const bytes = Buffer.alloc(1);
    bytes.writeInt8(value);
    return this.raw(bytes);
  }

  int16(value: number): this {
    const bytes = Buffer.alloc(2);
    bytes.writeInt16BE(value);
    return this.raw(bytes);
  }

  int32(value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value);
    return this.raw(bytes);
  }

  uint32(value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return this.raw(bytes);
  }

  int64(value: number | bigint): this {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64BE(BigInt(value));
    return this.raw(bytes);
  }

  bool(value: boolean): this {
    return this.int8(value ? 1 : 0);
  }

  uvarint(value: number | bigint): this {
    let rest = BigInt.asUintN(64, BigInt(value));
    const bytes: number[] = [];
    while (rest > 127n) {
      bytes.push(Number(rest & 127n) | 128);
      rest >>= 7n;
    }
    bytes.push(Number(rest));
    return this.raw(Uint8Array.from(bytes));
  }

  /** Zigzag. */
  varint(value: number | bigint): this {
    const v = BigInt(value);
    return this.uvarint(BigInt.asUintN(64, (v << 1n) ^ (v >> 63n)));
  }

  string(text: string | null): this {
    if (text === null) return this.int16(-1);
    const bytes = Buffer.from(text);
    return this.int16(bytes.length).raw(bytes);
  }

  compactString(text: string | null): this {
    if (text === null) return this.uvarint(0);
    const bytes = Buffer.from(text);
    return this.uvarint(bytes.length + 1).raw(bytes);
  }

  bytes(value: Uint8Array | null): this {
    return value === null ? this.int32(-1) : this.int32(value.length).raw(value);
  }

  compactBytes(value: Uint8Array | null): this {
    return value === null ? this.uvarint(0) : this.uvarint(value.length + 1).raw(value);
  }

  tags(): this {
    return this.uvarint(0);
  }

  done(): Buffer {
    const all = Buffer.concat(this.#parts);
    this.#parts = [all];
    return all;
  }
}

export class In {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  #move(size: number): number {
    const at = this.#at;
    if (size < 0 || size > this.left) throw new Error(`answer ends early: ${size} more at ${at}`);
    this.#at += size;
    return at;
  }

  int8(): number {
    return this.#bytes.readInt8(this.#move(1));
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#move(2));
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#move(4));
  }

  int64(): bigint {
    return this.#bytes.readBigInt64BE(this.#move(8));
  }

  bool(): boolean {
    return this.int8() !== 0;
  }

  uvarint(): number {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes.readUInt8(this.#move(1));
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return Number(value);
    }
    throw new Error('varint too long');
  }

  #text(size: number): string | null {
    if (size < 0) return null;
    const at = this.#move(size);
    return this.#bytes.toString('utf8', at, at + size);
  }

  string(): string | null {
    return this.#text(this.int16());
  }

  compactString(): string | null {
    return this.#text(this.uvarint() - 1);
  }

  raw(size: number): Buffer {
    const at = this.#move(size);
    return this.#bytes.subarray(at, at + size);
  }

  bytes(): Buffer | null {
    const size = this.int32();
    return size < 0 ? null : this.raw(size);
  }

  array<T>(item: () => T): T[] {
    return Array.from({ length: Math.max(0, this.int32()) }, item);
  }

  compactArray<T>(item: () => T): T[] {
    return Array.from({ length: Math.max(0, this.uvarint() - 1) }, item);
  }

  tags(): void {
    for (let count = this.uvarint(); count > 0; count--) {
      this.uvarint();
      this.raw(this.uvarint());
    }
  }

  end(): void {
    if (this.left !== 0) throw new Error(`${this.left} bytes behind the answer`);
  }
}
