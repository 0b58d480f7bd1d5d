import { range } from '../checks.ts';
import { int, long } from '../definition.ts';

/** Settings that Apache Kafka does not have; they are shown where they were given. */
export const ownSettings = {
  'group.disconnect.grace.ms': int(-1, {
    check: range(-1),
    internal: true,
    effective: true,
    doc: 'A setting of odradek: so long after its connection ended a member of a classic group leaves, unless it is heard of again, rather than at the end of its session. Choose more than the heartbeat interval of the clients. Static members keep their sessions. -1 turns it off.',
  }),
  'storage.min.free.bytes': long(64 * 1024 * 1024, {
    check: range(0),
    dynamic: 'cluster-wide',
    internal: true,
    effective: true,
    doc: 'A setting of odradek: while a log directory has less free space, produces to it are answered KAFKA_STORAGE_ERROR, and all else goes on.',
  }),
} as const;
