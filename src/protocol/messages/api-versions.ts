import { array, bool, type Infer, int16, int32, message, offset, string } from '../schema.ts';

/** What can be asked of this node, and in which versions (KIP-35, KIP-511). */
export const ApiVersionsRequest = message(
  { name: 'ApiVersionsRequest', apiKey: 18, versions: [0, 5], flexible: 3 },
  {
    clientSoftwareName: string.since(3).ignorable(),
    clientSoftwareVersion: string.since(3).ignorable(),
    clusterId: string.since(5).nullable().default(null).ignorable(),
    nodeId: int32.since(5).default(-1).ignorable(),
  },
);
export type ApiVersionsRequest = Infer<typeof ApiVersionsRequest>;

/**
 * Its header never has tagged fields, and a version that the node does not know is answered in version
 * 0.
 */
export const ApiVersionsResponse = message(
  { name: 'ApiVersionsResponse', apiKey: 18, versions: [0, 5], flexible: 3 },
  {
    errorCode: int16,
    apiKeys: array({
      apiKey: int16,
      minVersion: int16,
      maxVersion: int16,
    }),
    throttleTimeMs: int32.since(1).ignorable(),
    supportedFeatures: array({
      name: string,
      minVersion: int16,
      maxVersion: int16,
    })
      .tagged(0, 3)
      .ignorable(),
    // The metadata offset of the features, or -1 where they are not known.
    finalizedFeaturesEpoch: offset.tagged(1, 3).default(-1).ignorable(),
    finalizedFeatures: array({
      name: string,
      maxVersionLevel: int16,
      minVersionLevel: int16,
    })
      .tagged(2, 3)
      .ignorable(),
    // Of a controller that would take part in a migration from ZooKeeper.
    zkMigrationReady: bool.tagged(3, 3).ignorable(),
  },
);
export type ApiVersionsResponse = Infer<typeof ApiVersionsResponse>;
