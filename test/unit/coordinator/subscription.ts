import { defaults, encodeToBytes } from '../../../src/protocol/codec.ts';
import { ConsumerProtocolSubscription } from '../../../src/protocol/messages/consumer-protocol.ts';

/** What a consumer of these topics says about itself when it joins a classic group. */
export function subscription(...topics: readonly string[]): Buffer {
  const value = defaults(ConsumerProtocolSubscription, { topics });
  return Buffer.concat([Buffer.from([0, 0]), encodeToBytes(ConsumerProtocolSubscription, 0, value)]);
}
