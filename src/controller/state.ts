import { MetadataImage } from '../metadata/image.ts';
import type { MetadataRecord } from '../metadata/records.ts';
import type { BrokerRegistration } from '../metadata/registrations.ts';
import { Errors, ProtocolError } from '../protocol/errors.ts';
import { BrokerSessions } from './broker-sessions.ts';
import { CollidingNames } from './topic-names.ts';

/** The newest state, committed or not: an image and what is derived from it. A pure function of the log but for sessions. */
export class ControllerState {
  readonly image = new MetadataImage();
  readonly collidingNames = new CollidingNames();
  /** Offset of each broker's newest RegisterBrokerRecord. */
  readonly registrationOffsets = new Map<number, number>();
  readonly sessions: BrokerSessions;

  constructor(sessionTimeoutMs: number) {
    this.sessions = new BrokerSessions(sessionTimeoutMs);
  }

  replay(record: MetadataRecord, offset: number): void {
    if (record.type === 'RemoveTopicRecord') {
      const name = this.image.topicName(record.data.topicId);
      if (name !== undefined) this.collidingNames.remove(name);
    }
    this.image.replay(record, offset);
    if (record.type === 'TopicRecord') this.collidingNames.add(record.data.name);
    else if (record.type === 'RegisterBrokerRecord')
      this.registrationOffsets.set(record.data.brokerId, offset);
    else if (record.type === 'UnregisterBrokerRecord') {
      this.registrationOffsets.delete(record.data.brokerId);
      this.sessions.remove(record.data.brokerId);
    }
  }

  advance(offset: number, epoch: number): void {
    this.image.advance(offset, epoch);
  }

  /** The broker's registration, if it has this epoch. Throws STALE_BROKER_EPOCH. */
  brokerAt(id: number, epoch: number): BrokerRegistration {
    const broker = this.image.brokers.get(id);
    if (broker === undefined) {
      throw new ProtocolError(Errors.STALE_BROKER_EPOCH, `Broker ${id} is not registered`);
    }
    if (broker.epoch !== epoch) {
      throw new ProtocolError(
        Errors.STALE_BROKER_EPOCH,
        `Broker ${id} is at epoch ${broker.epoch}, not ${epoch}`,
      );
    }
    return broker;
  }

  /** Registered, not fenced and not on its way out. */
  isActive(id: number): boolean {
    const broker = this.image.brokers.get(id);
    return broker !== undefined && !broker.fenced && !broker.inControlledShutdown;
  }
}
