import { array, type Infer, int8, int16, int32, message, string } from '../schema.ts';

/**
 * Adds ACLs (KIP-140). Prefixed resources since v1 (KIP-290), user-principal resources since v3
 * (KIP-373).
 */
export const CreateAclsRequest = message(
  { name: 'CreateAclsRequest', apiKey: 30, versions: [0, 3], flexible: 2 },
  {
    creations: array({
      resourceType: int8,
      resourceName: string,
      resourcePatternType: int8.since(1).default(3),
      principal: string,
      host: string,
      operation: int8,
      permissionType: int8,
    }),
  },
);
export type CreateAclsRequest = Infer<typeof CreateAclsRequest>;

/** One result for each ACL, in the order asked. */
export const CreateAclsResponse = message(
  { name: 'CreateAclsResponse', apiKey: 30, versions: [0, 3], flexible: 2 },
  {
    throttleTimeMs: int32,
    results: array({
      errorCode: int16,
      errorMessage: string.nullable(),
    }),
  },
);
export type CreateAclsResponse = Infer<typeof CreateAclsResponse>;
