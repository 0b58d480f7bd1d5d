import { array, type Infer, int16, int32, message, string } from '../schema.ts';

/** The groups of this broker; by state since v4 (KIP-518), by type since v5 (KIP-848). */
export const ListGroupsRequest = message(
  { name: 'ListGroupsRequest', apiKey: 16, versions: [0, 5], flexible: 3 },
  {
    statesFilter: array(string).since(4),
    typesFilter: array(string).since(5),
  },
);
export type ListGroupsRequest = Infer<typeof ListGroupsRequest>;

/** Group ids with the type of their protocol. */
export const ListGroupsResponse = message(
  { name: 'ListGroupsResponse', apiKey: 16, versions: [0, 5], flexible: 3 },
  {
    throttleTimeMs: int32.since(1).ignorable(),
    errorCode: int16,
    groups: array({
      groupId: string,
      protocolType: string,
      groupState: string.since(4).ignorable(),
      groupType: string.since(5).ignorable(),
    }),
  },
);
export type ListGroupsResponse = Infer<typeof ListGroupsResponse>;
