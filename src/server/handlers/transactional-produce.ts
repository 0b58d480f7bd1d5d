import { type ErrorCode, Errors, errorName } from '../../protocol/errors.ts';
import * as header from '../../protocol/record-batch/header.ts';
import {
  failedProduce,
  type ProduceDone,
  type ProduceEntry,
  type ProduceResult,
} from '../../replication/delayed-produce.ts';
import type {
  TransactionClient,
  TransactionVerifier,
  Verified,
} from '../../replication/transaction-verification.ts';

export type Append = (entries: readonly ProduceEntry[], done: ProduceDone) => void;

export function isTransactionalBatch(records: Uint8Array): boolean {
  return (
    records.length >= header.BATCH_OVERHEAD &&
    header.magic(records, 0) === header.CURRENT_MAGIC &&
    header.isTransactional(records, 0)
  );
}

/**
 * Appends what the transaction coordinator finds to be part of the producer's transaction, and all that belongs to none.
 * `done` gets a result for each entry in order. Returns why the request as a whole is refused, or NONE: then `append` runs
 * once, maybe before this returns.
 */
export function appendVerified(
  verifier: TransactionVerifier,
  version: number,
  transactionalId: string,
  entries: readonly ProduceEntry[],
  append: Append,
  done: ProduceDone,
): ErrorCode {
  const places = [...entries.keys()].filter((at) => isVerifiable(entries[at]!.records));
  const first = places[0];
  if (first === undefined) {
    append(entries, done);
    return Errors.NONE;
  }
  const producerId = header.producerId(entries[first]!.records, 0);
  const producerEpoch = header.producerEpoch(entries[first]!.records, 0);
  for (const at of places) {
    const { records } = entries[at]!;
    const isSame =
      header.producerId(records, 0) === producerId && header.producerEpoch(records, 0) === producerEpoch;
    if (!isSame) return Errors.INVALID_PRODUCER_ID_MAPPING;
  }
  const client = clientOf(version);
  const partitions = places.map((at) => {
    const { topic, partition, records } = entries[at]!;
    return { topic, partition, sequence: header.baseSequence(records, 0) };
  });
  verifier.verify({ transactionalId, producerId, producerEpoch, client, partitions }, (outcomes) => {
    const byPlace = new Map(places.map((place, at) => [place, outcomes[at]!]));
    appendAccepted(entries, byPlace, client, append, done);
  });
  return Errors.NONE;
}

/** Without a producer id there is nothing to ask for. */
function isVerifiable(records: Uint8Array): boolean {
  return isTransactionalBatch(records) && header.hasProducerId(records, 0);
}

function clientOf(version: number): TransactionClient {
  if (version > 11) return 'v2';
  return version > 10 ? 'abortable' : 'classic';
}

function appendAccepted(
  entries: readonly ProduceEntry[],
  outcomes: ReadonlyMap<number, Verified>,
  client: TransactionClient,
  append: Append,
  done: ProduceDone,
): void {
  const results: (ProduceResult | undefined)[] = [];
  const accepted: ProduceEntry[] = [];
  for (const [at, entry] of entries.entries()) {
    const outcome = outcomes.get(at);
    const isRefused = outcome !== undefined && outcome.errorCode !== Errors.NONE;
    results.push(isRefused ? refused(outcome.errorCode, client) : undefined);
    if (isRefused) continue;
    const transaction = outcome?.transaction;
    accepted.push(transaction === undefined ? entry : { ...entry, transaction: { transaction } });
  }
  append(accepted, (appended) => {
    let next = 0;
    done(results.map((result) => result ?? appended[next++]!));
  });
}

/** What producers try again with, they know by other codes in the answer to Produce. */
function refused(code: ErrorCode, client: TransactionClient): ProduceResult {
  switch (code) {
    case Errors.CONCURRENT_TRANSACTIONS:
      if (client === 'v2') return failedProduce(code);
      break;
    case Errors.COORDINATOR_LOAD_IN_PROGRESS:
    case Errors.COORDINATOR_NOT_AVAILABLE:
    case Errors.NOT_COORDINATOR:
      break;
    case Errors.INVALID_TXN_STATE:
      return failedProduce(code, 'the partition is not part of the transaction');
    default:
      return failedProduce(code);
  }
  const text = `whether the partition is part of the transaction is not known: ${errorName(code)}`;
  return failedProduce(Errors.NOT_ENOUGH_REPLICAS, text);
}
