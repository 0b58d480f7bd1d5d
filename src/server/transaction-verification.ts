import type { BrokerConfig } from '../config/broker-config.ts';
import type { VerificationSettings } from '../replication/transaction-verification.ts';

/** The settings as they are now; read anew only where they may have changed. */
export function verificationSettings(current: () => BrokerConfig): () => VerificationSettings {
  let config = current();
  let settings = settingsOf(config);
  return () => {
    const now = current();
    if (now !== config) {
      config = now;
      settings = settingsOf(now);
    }
    return settings;
  };
}

function settingsOf(config: BrokerConfig): VerificationSettings {
  return {
    isEnabled: config.get('transaction.partition.verification.enable'),
    retryBackoffMs: config.get('add.partitions.to.txn.retry.backoff.ms'),
    retryMaxMs: Math.min(
      config.get('add.partitions.to.txn.retry.backoff.max.ms'),
      config.get('request.timeout.ms'),
    ),
  };
}
