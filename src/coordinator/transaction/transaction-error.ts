import { type ErrorCode, Errors, type ProtocolError } from '../../protocol/errors.ts';
import { coordinatorError } from '../group/coordinator-error.ts';

/**
 * What producers are told of an error that the transaction log had. A transaction with so many partitions that its
 * record fits into no batch is named as such, where Apache Kafka has an unknown server error.
 */
export function transactionError(error: ProtocolError): ErrorCode {
  const isTooLarge = error.code === Errors.RECORD_LIST_TOO_LARGE || error.code === Errors.MESSAGE_TOO_LARGE;
  return isTooLarge ? Errors.RECORD_LIST_TOO_LARGE : coordinatorError(error);
}
