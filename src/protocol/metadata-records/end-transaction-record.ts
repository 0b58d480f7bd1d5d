import { type Infer, message } from '../schema.ts';

/** The records since BeginTransactionRecord count. */
export const EndTransactionRecord = message(
  { name: 'EndTransactionRecord', apiKey: 24, versions: [0, 0], flexible: 0 },
  {},
);
export type EndTransactionRecord = Infer<typeof EndTransactionRecord>;
