import { type Uuid, ZERO_UUID } from '../base/uuid.ts';
import { decode, encode } from '../protocol/codec.ts';
import { KRaftVersionRecord } from '../protocol/raft-messages/kraft-version-record.ts';
import { LeaderChangeMessage } from '../protocol/raft-messages/leader-change-message.ts';
import { SnapshotFooterRecord } from '../protocol/raft-messages/snapshot-footer-record.ts';
import { SnapshotHeaderRecord } from '../protocol/raft-messages/snapshot-header-record.ts';
import { VotersRecord } from '../protocol/raft-messages/voters-record.ts';
import {
  type ControlRecordInput,
  ControlType,
  controlTypeOf,
  type KafkaRecord,
} from '../protocol/record-batch/index.ts';
import type { MessageSchema } from '../protocol/schema.ts';
import { Writer } from '../protocol/writer.ts';
import type { VoterEndpoint } from './ports.ts';

/** A member of the quorum (KIP-853). */
export interface Voter {
  readonly id: number;
  readonly directoryId: Uuid;
  readonly endpoints: readonly VoterEndpoint[];
}

/** What control records say of the quorum itself. */
export interface QuorumControl {
  readonly kraftVersion?: number;
  readonly voters?: readonly Voter[];
  readonly lastContainedLogTimestampMs?: number;
  readonly isFooter?: boolean;
}

const KRAFT_VERSIONS = { minSupportedVersion: 0, maxSupportedVersion: 1 };

function bytesOf<T>(schema: MessageSchema<T>, value: T): Uint8Array {
  const writer = new Writer();
  encode(schema, 0, value, writer);
  return writer.bytes();
}

/** Always in version 0, which has no place for directory ids; Apache writes no other. */
export function leaderChange(leaderId: number, voters: readonly Voter[]): ControlRecordInput {
  const ids = voters.map((voter) => ({ voterId: voter.id, voterDirectoryId: ZERO_UUID }));
  const message = { version: 0, leaderId, voters: ids, grantingVoters: ids };
  return { type: ControlType.LEADER_CHANGE, value: bytesOf(LeaderChangeMessage, message) };
}

export function kraftVersion(level: number): ControlRecordInput {
  return {
    type: ControlType.KRAFT_VERSION,
    value: bytesOf(KRaftVersionRecord, { version: 0, kRaftVersion: level }),
  };
}

export function kraftVoters(voters: readonly Voter[]): ControlRecordInput {
  const rows = voters.map((voter) => ({
    voterId: voter.id,
    voterDirectoryId: voter.directoryId,
    endpoints: voter.endpoints.map(({ name, host, port }) => ({ name, host, port })),
    kRaftVersionFeature: KRAFT_VERSIONS,
  }));
  return { type: ControlType.KRAFT_VOTERS, value: bytesOf(VotersRecord, { version: 0, voters: rows }) };
}

export function snapshotHeader(lastContainedLogTimestamp: bigint): ControlRecordInput {
  return {
    type: ControlType.SNAPSHOT_HEADER,
    value: bytesOf(SnapshotHeaderRecord, { version: 0, lastContainedLogTimestamp }),
  };
}

export function snapshotFooter(): ControlRecordInput {
  return { type: ControlType.SNAPSHOT_FOOTER, value: bytesOf(SnapshotFooterRecord, { version: 0 }) };
}

/** What a control record says; nothing for kinds that do not matter here or that later versions add. */
export function readControl(record: KafkaRecord): QuorumControl {
  const type = controlTypeOf(record.key);
  const value = record.value === null ? new Uint8Array() : Uint8Array.prototype.slice.call(record.value);
  if (type === ControlType.KRAFT_VERSION)
    return { kraftVersion: decode(KRaftVersionRecord, 0, value).kRaftVersion };
  if (type === ControlType.SNAPSHOT_HEADER) {
    return {
      lastContainedLogTimestampMs: Number(decode(SnapshotHeaderRecord, 0, value).lastContainedLogTimestamp),
    };
  }
  if (type === ControlType.SNAPSHOT_FOOTER) return { isFooter: true };
  if (type !== ControlType.KRAFT_VOTERS) return {};
  const voters = decode(VotersRecord, 0, value).voters.map((row) => ({
    id: row.voterId,
    directoryId: row.voterDirectoryId,
    endpoints: row.endpoints.map(({ name, host, port }) => ({ name, host, port })),
  }));
  return { voters };
}
