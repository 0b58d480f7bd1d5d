import type { BrokerConfig } from '../config/broker-config.ts';
import { Errors } from '../protocol/errors.ts';
import type { TransactionPartitions, VerificationSettings } from '../replication/transaction-verification.ts';

export function verificationSettingsOf(config: BrokerConfig): VerificationSettings {
  return {
    isEnabled: config.get('transaction.partition.verification.enable'),
    retryBackoffMs: config.get('add.partitions.to.txn.retry.backoff.ms'),
    retryMaxMs: Math.min(
      config.get('add.partitions.to.txn.retry.backoff.max.ms'),
      config.get('request.timeout.ms'),
    ),
  };
}

/** Without a transaction coordinator no transaction can be open. */
export const NO_TRANSACTIONS: TransactionPartitions = {
  addPartitionsToTxn({ topics }, done) {
    done(
      topics.map(({ name, partitions }) => ({
        name,
        resultsByPartition: partitions.map((partitionIndex) => ({
          partitionIndex,
          partitionErrorCode: Errors.INVALID_TXN_STATE,
        })),
      })),
    );
  },
};
