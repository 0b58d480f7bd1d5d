import { array, type Infer, int16, int32, message, string } from '../schema.ts';

/** Removes groups without members (KIP-229). */
export const DeleteGroupsRequest = message(
  { name: 'DeleteGroupsRequest', apiKey: 42, versions: [0, 3], flexible: 2 },
  {
    groupsNames: array(string),
  },
);
export type DeleteGroupsRequest = Infer<typeof DeleteGroupsRequest>;

/** One result for each group. v3 has a text for the error. */
export const DeleteGroupsResponse = message(
  { name: 'DeleteGroupsResponse', apiKey: 42, versions: [0, 3], flexible: 2 },
  {
    throttleTimeMs: int32,
    results: array({
      groupId: string,
      errorCode: int16,
      errorMessage: string.since(3).nullable().default(null).ignorable(),
    }),
  },
);
export type DeleteGroupsResponse = Infer<typeof DeleteGroupsResponse>;
