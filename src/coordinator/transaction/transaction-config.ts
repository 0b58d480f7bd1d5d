import type { BrokerConfig } from '../../config/broker-config.ts';

/** The settings of the transaction coordinator. All of them need a restart to change. */
export interface TransactionCoordinatorConfig {
  readonly transactionMaxTimeoutMs: number;
  /** How often open transactions are looked at for being over time. */
  readonly abortTimedOutIntervalMs: number;
  readonly transactionalIdExpirationMs: number;
  /** How often unused transactional ids are looked for. */
  readonly removeExpiredIntervalMs: number;
  readonly loadBufferBytes: number;
  readonly twoPhaseCommitEnable: boolean;
  /** How long an answer may wait for its record to be committed. */
  readonly requestTimeoutMs: number;
}

export function transactionCoordinatorConfigOf(config: BrokerConfig): TransactionCoordinatorConfig {
  return {
    transactionMaxTimeoutMs: config.get('transaction.max.timeout.ms'),
    abortTimedOutIntervalMs: config.get('transaction.abort.timed.out.transaction.cleanup.interval.ms'),
    transactionalIdExpirationMs: config.get('transactional.id.expiration.ms'),
    removeExpiredIntervalMs: config.get('transaction.remove.expired.transaction.cleanup.interval.ms'),
    loadBufferBytes: config.get('transaction.state.log.load.buffer.size'),
    twoPhaseCommitEnable: config.get('transaction.two.phase.commit.enable'),
    requestTimeoutMs: config.get('request.timeout.ms'),
  };
}
