import { type ErrorCode, Errors } from '../../protocol/errors.ts';

/** PRODUCER_FENCED for clients that know it, what they knew before for older ones (KIP-588). */
export function fencedCode(errorCode: ErrorCode, version: number, knownSince: number): ErrorCode {
  return errorCode === Errors.PRODUCER_FENCED && version < knownSince
    ? Errors.INVALID_PRODUCER_EPOCH
    : errorCode;
}
