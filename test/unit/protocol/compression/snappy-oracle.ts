/**
 * A decoder of raw snappy streams that does nothing but what the format says, byte by byte: what the codec is compared
 * with. undefined where the stream is malformed.
 */
export function snappyOracle(bytes: Uint8Array): Buffer | undefined {
  let at = 0;
  const next = () => {
    if (at >= bytes.length) throw new RangeError('cut');
    return bytes[at++]!;
  };
  const littleEndian = (count: number) => {
    let value = 0;
    for (let i = 0; i < count; i++) value += next() * 256 ** i;
    return value;
  };
  const plain: number[] = [];
  try {
    let announced = 0;
    for (let i = 0; ; i++) {
      const byte = next();
      announced += (byte & 0x7f) * 128 ** i;
      if (byte < 0x80) break;
    }
    while (at < bytes.length) {
      const tag = next();
      const kind = tag % 4;
      const high = tag >>> 2;
      if (kind === 0) {
        // Sound, but written by no encoder: one or two last bytes with a length apart. snappyjs refuses it.
        if (high >= 60 && bytes.length - at < 4) return undefined;
        const length = 1 + (high < 60 ? high : littleEndian(high - 59));
        for (let i = 0; i < length; i++) plain.push(next());
      } else {
        const length = kind === 1 ? 4 + (high % 8) : high + 1;
        const distance = kind === 1 ? (high >>> 3) * 256 + next() : littleEndian(kind === 2 ? 2 : 4);
        if (distance === 0 || distance > plain.length) return undefined;
        for (let i = 0; i < length; i++) plain.push(plain[plain.length - distance]!);
      }
      if (plain.length > announced) return undefined;
    }
    return plain.length === announced ? Buffer.from(plain) : undefined;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
