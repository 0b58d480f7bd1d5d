import { type Infer, message, string } from '../schema.ts';

/** What follows counts only once EndTransactionRecord came (KIP-868). */
export const BeginTransactionRecord = message(
  { name: 'BeginTransactionRecord', apiKey: 23, versions: [0, 0], flexible: 0 },
  {
    name: string.nullable().tagged(0, 0).default(null),
  },
);
export type BeginTransactionRecord = Infer<typeof BeginTransactionRecord>;
