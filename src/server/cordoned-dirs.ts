import type { BrokerConfig } from '../config/broker-config.ts';

/** The log dirs that take no new partitions (KIP-1066). */
export function cordonedDirsOf(config: BrokerConfig): readonly string[] {
  const cordoned = config.get('cordoned.log.dirs');
  return cordoned.includes('*') ? config.logDirs : cordoned;
}
