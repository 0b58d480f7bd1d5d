import type { BrokerConfig } from '../config/broker-config.ts';
import type { VerificationSettings } from '../replication/transaction-verification.ts';

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
