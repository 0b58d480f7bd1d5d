import { type Infer, int8, message } from '../schema.ts';

/** How far a migration from ZooKeeper had come; still found in logs that began with one. */
export const ZkMigrationStateRecord = message(
  { name: 'ZkMigrationStateRecord', apiKey: 21, versions: [0, 0], flexible: 0 },
  {
    zkMigrationState: int8,
  },
);
export type ZkMigrationStateRecord = Infer<typeof ZkMigrationStateRecord>;
