import type { StorageErrorCode } from '../base/ports.ts';

/** What a run's signal says once it is to end. */
export const CANCELLED = 1;

export interface ToWorker {
  readonly job: string;
  readonly input: unknown;
  /** One shared number: 0, or {@link CANCELLED}. */
  readonly signal: Int32Array;
}

export type PlainError =
  | { readonly kind: 'cancelled' }
  | {
      readonly kind: 'storage';
      readonly code: StorageErrorCode;
      readonly path: string;
      readonly message: string;
    }
  | { readonly kind: 'other'; readonly message: string; readonly stack: string | undefined };

export type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'progress'; readonly progress: unknown }
  | { readonly kind: 'result'; readonly result: unknown }
  | { readonly kind: 'error'; readonly error: PlainError };
