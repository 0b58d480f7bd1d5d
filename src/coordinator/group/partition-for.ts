/**
 * The partition of `__consumer_offsets` that holds a group: the absolute value of a Java string's hash (0 for the one
 * that has none), which all brokers and tools must agree on. Transactional ids are spread the same way.
 */
export function partitionForGroup(groupId: string, partitions: number): number {
  let hash = 0;
  for (let i = 0; i < groupId.length; i++) hash = (Math.imul(hash, 31) + groupId.charCodeAt(i)) | 0;
  return hash === -0x8000_0000 ? 0 : Math.abs(hash) % partitions;
}
