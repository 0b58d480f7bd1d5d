import { range } from '../checks.ts';
import { long } from '../definition.ts';

/** Settings that Apache Kafka does not have; they are shown where they were given. */
export const ownSettings = {
  'storage.min.free.bytes': long(64 * 1024 * 1024, {
    check: range(0),
    dynamic: 'cluster-wide',
    internal: true,
    effective: true,
    doc: 'A setting of odradek: while a log directory has less free space, produces to it are answered KAFKA_STORAGE_ERROR, and all else goes on.',
  }),
} as const;
