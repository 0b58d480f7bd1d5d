import { GROUP_VERSION } from '../metadata/features.ts';
import type { HandlerServices } from './services.ts';

/** The level of `group.version` that brings consumer groups (KIP-848). */
const CONSUMER_GROUPS_LEVEL = 1;

/** Whether this node serves groups of the consumer protocol: its cluster has them, and its settings leave them on. */
export function servesConsumerGroups({ config, metadata }: HandlerServices): boolean {
  if (!config.get('group.coordinator.rebalance.protocols').includes('consumer')) return false;
  return (metadata.image.features.finalized.get(GROUP_VERSION) ?? 0) >= CONSUMER_GROUPS_LEVEL;
}
