import type { GroupRecord } from './records.ts';

/** Who waits for groups of this node to change, each told of its own group and of nothing else. */
export class GroupWatches {
  readonly #watches = new Map<string, Set<() => void>>();

  /**
   * Calls `changed` whenever something of the group was committed that is no offset, or could not be, and when a part of
   * the groups was loaded: the group may have been in it. It runs inside the coordinator, whose calls it must leave for
   * later. Returns what ends the watch.
   */
  add(groupId: string, changed: () => void): () => void {
    let ofGroup = this.#watches.get(groupId);
    if (ofGroup === undefined) {
      ofGroup = new Set();
      this.#watches.set(groupId, ofGroup);
    }
    ofGroup.add(changed);
    return () => {
      ofGroup.delete(changed);
      if (ofGroup.size === 0 && this.#watches.get(groupId) === ofGroup) this.#watches.delete(groupId);
    };
  }

  onSettled(records: readonly GroupRecord[]): void {
    if (this.#watches.size === 0) return;
    let told: string | undefined;
    for (const record of records) {
      if (record.type === 'OffsetCommit') continue;
      const groupId = record.type === 'GroupMetadata' ? record.key.group : record.key.groupId;
      // Records of one group mostly stand together.
      if (groupId !== told) this.#tell(groupId);
      told = groupId;
    }
  }

  onLoaded(): void {
    for (const groupId of this.#watches.keys()) this.#tell(groupId);
  }

  #tell(groupId: string): void {
    for (const changed of this.#watches.get(groupId) ?? []) changed();
  }
}
