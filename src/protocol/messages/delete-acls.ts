import { array, type Infer, int8, int16, int32, message, string } from '../schema.ts';

/** Removes the ACLs that filters match (KIP-140). */
export const DeleteAclsRequest = message(
  { name: 'DeleteAclsRequest', apiKey: 31, versions: [0, 3], flexible: 2 },
  {
    filters: array({
      resourceTypeFilter: int8,
      resourceNameFilter: string.nullable(),
      patternTypeFilter: int8.since(1).default(3),
      principalFilter: string.nullable(),
      hostFilter: string.nullable(),
      operation: int8,
      permissionType: int8,
    }),
  },
);
export type DeleteAclsRequest = Infer<typeof DeleteAclsRequest>;

/** By filter, the ACLs that it removed. */
export const DeleteAclsResponse = message(
  { name: 'DeleteAclsResponse', apiKey: 31, versions: [0, 3], flexible: 2 },
  {
    throttleTimeMs: int32,
    filterResults: array({
      errorCode: int16,
      errorMessage: string.nullable(),
      matchingAcls: array({
        errorCode: int16,
        errorMessage: string.nullable(),
        resourceType: int8,
        resourceName: string,
        patternType: int8.since(1).default(3),
        principal: string,
        host: string,
        operation: int8,
        permissionType: int8,
      }),
    }),
  },
);
export type DeleteAclsResponse = Infer<typeof DeleteAclsResponse>;
