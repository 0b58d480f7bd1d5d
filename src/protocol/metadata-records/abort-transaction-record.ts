import { type Infer, message, string } from '../schema.ts';

/** The records since BeginTransactionRecord do not count. */
export const AbortTransactionRecord = message(
  { name: 'AbortTransactionRecord', apiKey: 25, versions: [0, 0], flexible: 0 },
  {
    reason: string.nullable().tagged(0, 0).default(null),
  },
);
export type AbortTransactionRecord = Infer<typeof AbortTransactionRecord>;
