import type { CoordinatorResult } from '../runtime/result.ts';
import type { GroupRecord } from './records.ts';

/** A handler that answers by itself: what is left is what to write. */
export type GroupResult = CoordinatorResult<void, GroupRecord>;

export const NOTHING: GroupResult = { records: [], response: undefined };

/** Who sent a request. */
export interface GroupRequestContext {
  readonly apiVersion: number;
  readonly clientId: string;
  /** As Apache Kafka shows it: a slash, then the address. */
  readonly clientHost: string;
}

/** Makes the part of a member id that nobody can guess. */
export interface MemberIds {
  /** A random uuid as Java prints it. */
  next(): string;
  /** A random uuid as Kafka prints it. */
  nextUuid(): string;
}
