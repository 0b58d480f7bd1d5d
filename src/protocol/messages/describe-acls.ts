import { array, type Infer, int8, int16, int32, message, string } from '../schema.ts';

/** The ACLs that a filter matches (KIP-140). */
export const DescribeAclsRequest = message(
  { name: 'DescribeAclsRequest', apiKey: 29, versions: [0, 3], flexible: 2 },
  {
    resourceTypeFilter: int8,
    resourceNameFilter: string.nullable(),
    patternTypeFilter: int8.since(1).default(3),
    principalFilter: string.nullable(),
    hostFilter: string.nullable(),
    operation: int8,
    permissionType: int8,
  },
);
export type DescribeAclsRequest = Infer<typeof DescribeAclsRequest>;

/** ACLs by resource. */
export const DescribeAclsResponse = message(
  { name: 'DescribeAclsResponse', apiKey: 29, versions: [0, 3], flexible: 2 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: string.nullable(),
    resources: array({
      resourceType: int8,
      resourceName: string,
      patternType: int8.since(1).default(3),
      acls: array({
        principal: string,
        host: string,
        operation: int8,
        permissionType: int8,
      }),
    }),
  },
);
export type DescribeAclsResponse = Infer<typeof DescribeAclsResponse>;
