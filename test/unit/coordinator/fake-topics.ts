import type { Uuid } from '../../../src/base/uuid.ts';
import type { GroupTopics } from '../../../src/coordinator/index.ts';

/** Topics that a test makes, changes and deletes. */
export class FakeTopics implements GroupTopics {
  readonly #topics = new Map<string, { readonly id: Uuid; readonly partitions: number }>();
  version = 0;
  versionWithNewTopics = 0;

  /** Makes a topic, or gives one more partitions. */
  set(name: string, partitions: number): Uuid {
    this.version += 1;
    const known = this.#topics.get(name)?.id;
    if (known === undefined) this.versionWithNewTopics = this.version;
    const id = known ?? this.#newId();
    this.#topics.set(name, { id, partitions });
    return id;
  }

  delete(name: string): void {
    this.version += 1;
    this.#topics.delete(name);
  }

  names(): Iterable<string> {
    return this.#topics.keys();
  }

  idOf(name: string): Uuid | undefined {
    return this.#topics.get(name)?.id;
  }

  nameOf(topicId: Uuid): string | undefined {
    for (const [name, { id }] of this.#topics) if (id === topicId) return name;
    return undefined;
  }

  partitionCountOf(topicId: Uuid): number | undefined {
    for (const { id, partitions } of this.#topics.values()) if (id === topicId) return partitions;
    return undefined;
  }

  hashOf(name: string): bigint | undefined {
    const topic = this.#topics.get(name);
    if (topic === undefined) return undefined;
    return Buffer.from(topic.id, 'base64url').readBigInt64BE(8) * 1000n + BigInt(topic.partitions);
  }

  #newId(): Uuid {
    const bytes = Buffer.alloc(16);
    bytes.writeUInt32BE(this.version, 12);
    return bytes.toString('base64url') as Uuid;
  }
}
