import { decodeFrom } from '../../protocol/codec.ts';
import { jsonText, messageJson } from '../../protocol/message-json.ts';
import { KRaftVersionRecord } from '../../protocol/raft-messages/kraft-version-record.ts';
import { LeaderChangeMessage } from '../../protocol/raft-messages/leader-change-message.ts';
import { SnapshotFooterRecord } from '../../protocol/raft-messages/snapshot-footer-record.ts';
import { SnapshotHeaderRecord } from '../../protocol/raft-messages/snapshot-header-record.ts';
import { VotersRecord } from '../../protocol/raft-messages/voters-record.ts';
import { Reader } from '../../protocol/reader.ts';
import {
  ControlType,
  controlTypeOf,
  coordinatorEpochOf,
  type KafkaRecord,
} from '../../protocol/record-batch/index.ts';
import type { AnyMessage } from '../../protocol/schema.ts';

/** What stands before the message of each kind; the first one alone has a colon. */
const messages: ReadonlyMap<number, readonly [label: string, schema: AnyMessage]> = new Map([
  [ControlType.LEADER_CHANGE, ['LeaderChange:', LeaderChangeMessage]],
  [ControlType.SNAPSHOT_HEADER, ['SnapshotHeader', SnapshotHeaderRecord]],
  [ControlType.SNAPSHOT_FOOTER, ['SnapshotFooter', SnapshotFooterRecord]],
  [ControlType.KRAFT_VERSION, ['KRaftVersion', KRaftVersionRecord]],
  [ControlType.KRAFT_VOTERS, ['KRaftVoters', VotersRecord]],
]);

const WRITTEN_VERSION = 0;

/** What a control record says, to stand behind its metadata. Throws InvalidControlRecordError and ProtocolDecodeError. */
export function controlText(record: KafkaRecord): string {
  const type = controlTypeOf(record.key);
  if (type === ControlType.ABORT || type === ControlType.COMMIT) {
    const name = type === ControlType.ABORT ? 'ABORT' : 'COMMIT';
    return ` endTxnMarker: ${name} coordinatorEpoch: ${coordinatorEpochOf(record.value)}`;
  }
  const known = type === undefined ? undefined : messages.get(type);
  if (known === undefined) return ` controlType: UNKNOWN(${Buffer.from(record.key ?? []).readInt16BE(2)})`;
  const [label, schema] = known;
  const message = decodeFrom(schema, WRITTEN_VERSION, new Reader(record.value ?? new Uint8Array()));
  return ` ${label} ${jsonText(messageJson(schema, (message as { version: number }).version, message))}`;
}
