/** What is used of snappyjs; the package brings no types of its own. Buffers make it return Buffers. */
declare module 'snappyjs' {
  export function compress(bytes: Buffer): Buffer;
  export function uncompress(bytes: Buffer, maxLength?: number): Buffer;
}
