declare module 'lz4js' {
  /** Returns the end of the output. */
  export function decompressBlock(
    source: Uint8Array,
    into: Uint8Array,
    from: number,
    length: number,
    at: number,
  ): number;
}

declare module 'lz4js/xxh32.js' {
  export function hash(seed: number, bytes: Uint8Array, from: number, length: number): number;
}
