import { array, type Infer, int8, int32, message, offset, uuid } from '../schema.ts';

/** What changed in the registration of a broker. */
export const BrokerRegistrationChangeRecord = message(
  { name: 'BrokerRegistrationChangeRecord', apiKey: 17, versions: [0, 3], flexible: 0 },
  {
    brokerId: int32,
    brokerEpoch: offset,
    // -1: unfenced; 0: unchanged; 1: fenced.
    fenced: int8.tagged(0, 0),
    // 0: unchanged; 1: shutting down.
    inControlledShutdown: int8.tagged(1, 1),
    logDirs: array(uuid).tagged(2, 2),
    cordonedLogDirs: array(uuid).nullable().tagged(3, 3).default(null),
  },
);
export type BrokerRegistrationChangeRecord = Infer<typeof BrokerRegistrationChangeRecord>;
