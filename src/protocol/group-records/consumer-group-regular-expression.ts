import { array, type Infer, int64, message, offset, string } from '../schema.ts';

/** The key of a regular expression that members of a group subscribed to (KIP-848). */
export const ConsumerGroupRegularExpressionKey = message(
  { name: 'ConsumerGroupRegularExpressionKey', apiKey: 16, versions: [0, 0] },
  {
    groupId: string,
    regularExpression: string,
  },
);
export type ConsumerGroupRegularExpressionKey = Infer<typeof ConsumerGroupRegularExpressionKey>;

/** The topics that matched, and the metadata offset at which they did. */
export const ConsumerGroupRegularExpressionValue = message(
  { name: 'ConsumerGroupRegularExpressionValue', apiKey: 16, versions: [0, 0], flexible: 0 },
  {
    topics: array(string),
    version: offset,
    timestamp: int64,
  },
);
export type ConsumerGroupRegularExpressionValue = Infer<typeof ConsumerGroupRegularExpressionValue>;
