import { array, type Infer, int8, int16, int32, message, string } from '../schema.ts';

/** Names what has settings of its own: client metrics in v0 (KIP-714), all types since v1 (KIP-1142). */
export const ListConfigResourcesRequest = message(
  { name: 'ListConfigResourcesRequest', apiKey: 74, versions: [0, 1], flexible: 0 },
  {
    resourceTypes: array(int8).since(1),
  },
);
export type ListConfigResourcesRequest = Infer<typeof ListConfigResourcesRequest>;

/** Names and, since v1, types. */
export const ListConfigResourcesResponse = message(
  { name: 'ListConfigResourcesResponse', apiKey: 74, versions: [0, 1], flexible: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    configResources: array({
      resourceName: string,
      resourceType: int8.since(1).default(16).ignorable(),
    }),
  },
);
export type ListConfigResourcesResponse = Infer<typeof ListConfigResourcesResponse>;
