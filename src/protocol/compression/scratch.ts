const BYTES_FIRST = 64 * 1024;
const BYTES_MAX = 8 * 1024 * 1024;

/**
 * Memory for plain payloads that are looked at and forgotten. A decoder must have room for the most that its input can
 * become, often a hundred times what it does become; made anew for each batch that would keep the collector busy with
 * megabytes. Pages that are never written take no memory.
 */
export class PlainScratch {
  #buffer: Buffer | undefined;

  /** At least `bytes` of memory with any content, valid until the next call. */
  take(bytes: number): Buffer {
    if (bytes > BYTES_MAX) return Buffer.allocUnsafeSlow(bytes);
    let buffer = this.#buffer;
    if (buffer === undefined || buffer.length < bytes) {
      let size = buffer?.length ?? BYTES_FIRST;
      while (size < bytes) size *= 2;
      buffer = Buffer.allocUnsafeSlow(size);
      this.#buffer = buffer;
    }
    return buffer;
  }
}
