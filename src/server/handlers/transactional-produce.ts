import { added } from '../../base/lists.ts';
import type { TransactionalAppend } from '../../log/index.ts';
import { type ErrorCode, Errors, errorName } from '../../protocol/errors.ts';
import * as header from '../../protocol/record-batch/header.ts';
import {
  failedProduce,
  type ProduceDone,
  type ProduceEntry,
  type ProduceResult,
} from '../../replication/delayed-produce.ts';
import type {
  PartitionToVerify,
  TransactionClient,
  TransactionVerifier,
  Verified,
} from '../../replication/transaction-verification.ts';

const NO_PRODUCER_ID = -1n;
const NO_PRODUCER_EPOCH = -1;

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
  let partitions: PartitionToVerify[] | undefined;
  let producerId = NO_PRODUCER_ID;
  let producerEpoch = NO_PRODUCER_EPOCH;
  for (const { topic, partition, records } of entries) {
    if (!isVerifiable(records)) continue;
    if (partitions === undefined) {
      producerId = header.producerId(records, 0);
      producerEpoch = header.producerEpoch(records, 0);
    } else if (
      header.producerId(records, 0) !== producerId ||
      header.producerEpoch(records, 0) !== producerEpoch
    ) {
      return Errors.INVALID_PRODUCER_ID_MAPPING;
    }
    partitions = added(partitions, { topic, partition, sequence: header.baseSequence(records, 0) });
  }
  if (partitions === undefined) {
    append(entries, done);
    return Errors.NONE;
  }
  const client = clientOf(version);
  verifier.verify({ transactionalId, producerId, producerEpoch, client, partitions }, (outcomes) => {
    appendAccepted(entries, outcomes, client, append, done);
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

/** `outcomes` are those of the entries that were verified, in their order. */
function appendAccepted(
  entries: readonly ProduceEntry[],
  outcomes: readonly Verified[],
  client: TransactionClient,
  append: Append,
  done: ProduceDone,
): void {
  const results = new Array<ProduceResult | undefined>(entries.length);
  let accepted: ProduceEntry[] | undefined;
  let verified = 0;
  for (let at = 0; at < entries.length; at++) {
    const entry = entries[at]!;
    const outcome = isVerifiable(entry.records) ? outcomes[verified++] : undefined;
    const isRefused = outcome !== undefined && outcome.errorCode !== Errors.NONE;
    results[at] = isRefused ? refused(outcome.errorCode, client) : undefined;
    if (isRefused) continue;
    const transaction = outcome?.transaction;
    accepted = added(accepted, transaction === undefined ? entry : withTransaction(entry, transaction));
  }
  if (accepted?.length === entries.length) {
    append(accepted, done);
    return;
  }
  append(accepted ?? [], (appended) => {
    let next = 0;
    done(results.map((result) => result ?? appended[next++]!));
  });
}

function withTransaction(
  { topic, topicId, partition, records }: ProduceEntry,
  transaction: TransactionalAppend,
): ProduceEntry {
  return { topic, topicId, partition, records, transaction: { transaction } };
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
