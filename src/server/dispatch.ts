import type { FramePool, Logger } from '../base/ports.ts';
import { Errors, ProtocolError } from '../protocol/errors.ts';
import { readRequestHeader } from '../protocol/headers.ts';
import { Reader } from '../protocol/reader.ts';
import { RecentTexts } from '../protocol/recent-texts.ts';
import { AnswerEncoder, type EncodedAnswer } from './answer-encoder.ts';
import type { ApiRow } from './api-row.ts';
import { Call, type CallDesk, type CallOwner, type ListenerKind } from './call.ts';
import type { CallDispatcher } from './connection.ts';
import type { Frame } from './frame-splitter.ts';

/** ApiVersions: the only API that answers a version it does not know (KIP-511). */
const API_VERSIONS_KEY = 18;
const NO_BYTES = Buffer.alloc(0);

/** Sees every request that failed for a reason which is our own fault. */
export interface BugCounter {
  bug(apiName: string): void;
}

export interface DispatcherOptions {
  readonly rows: readonly ApiRow[];
  /** Serves versions too that Kafka has not released yet. */
  readonly unstableVersions?: boolean;
  readonly pool: FramePool;
  readonly logger: Logger;
  readonly bugs?: BugCounter;
}

/**
 * Finds the row of a request, decodes, calls the handler and turns errors into codes: a `ProtocolError` becomes the
 * answer in the response's own shape, anything else is a bug of ours, logged with the API's name and answered
 * UNKNOWN_SERVER_ERROR. What can't be parsed closes the connection, as Apache Kafka does.
 */
export class Dispatcher implements CallDispatcher, CallDesk {
  readonly #rows: Readonly<Record<ListenerKind, readonly (ApiRow | undefined)[]>>;
  readonly #encoder: AnswerEncoder;
  /** Reads all requests, one after another. */
  readonly #reader = new Reader(NO_BYTES, 0, 0, new RecentTexts());
  readonly #logger: Logger;
  readonly #bugs: BugCounter | undefined;

  constructor(options: DispatcherOptions) {
    const rows = options.unstableVersions ? options.rows.map(withUnstableVersion) : options.rows;
    this.#rows = { broker: byKey(rows, 'broker'), controller: byKey(rows, 'controller') };
    this.#encoder = new AnswerEncoder(options.pool);
    this.#logger = options.logger;
    this.#bugs = options.bugs;
  }

  /** Rows served on a kind of listener, by API key. */
  rowsOf(kind: ListenerKind): readonly ApiRow[] {
    return this.#rows[kind].filter((row) => row !== undefined);
  }

  rowOf(kind: ListenerKind, apiKey: number): ApiRow | undefined {
    return this.#rows[kind][apiKey];
  }

  accept(peer: CallOwner, frame: Frame): Call {
    const apiKey = frame.int16(0);
    const version = frame.int16(2);
    const row = this.#rows[peer.listenerKind][apiKey];
    if (row === undefined)
      throw new Error(`API key ${apiKey} is not served on listener ${peer.listenerName}`);
    if ((version < row.versionMin || version > row.versionMax) && apiKey !== API_VERSIONS_KEY) {
      throw new Error(`${row.name} version ${version} is not served on listener ${peer.listenerName}`);
    }
    frame.readFrom(0, this.#reader);
    return new Call(peer, readRequestHeader(this.#reader, this.#reader.at), row, frame, this);
  }

  run(call: Call): void {
    const row = call.row;
    try {
      const version = call.version;
      if (version >= row.versionMin && version <= row.versionMax) {
        call.request = row.decodeRequest(version, call.bodyReader(this.#reader));
      }
    } catch (error) {
      call.closeConnection(`${row.name} v${call.version} can't be read: ${messageOf(error)}`);
      return;
    } finally {
      // The memory of a large request is not to be kept by it.
      this.#reader.begin(NO_BYTES, 0, 0, 0);
    }
    try {
      const result = row.handle(call, call.request);
      if (row.order === 'staged') return;
      if (result instanceof Promise) {
        result.then(
          (response) => call.answer(response),
          (error) => this.failed(call, error),
        );
      } else call.answer(result);
    } catch (error) {
      this.failed(call, error);
    }
  }

  encode(call: Call, response: unknown): EncodedAnswer {
    return this.#encoder.encode((writer) => call.row.writeAnswer(writer, call.header, response));
  }

  /** Answers a call whose handler threw. */
  failed(call: Call, error: unknown): void {
    if (call.outcome !== 'pending') {
      this.report(call, error);
      return;
    }
    if (error instanceof ProtocolError) {
      call.fail(error.code, error.message === '' ? null : error.message);
      return;
    }
    this.report(call, error);
    call.fail(Errors.UNKNOWN_SERVER_ERROR);
  }

  /** Logs and counts an error that is our own fault. */
  report(call: Call, error: unknown): void {
    this.#bugs?.bug(call.row.name);
    this.#logger.error(`Unexpected error handling ${call.row.name} v${call.version} of ${call.peer.id}`, {
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      clientId: call.header.clientId,
    });
  }
}

function withUnstableVersion(row: ApiRow): ApiRow {
  return { ...row, versionMax: row.versionUnstable ?? row.versionMax };
}

function byKey(rows: readonly ApiRow[], kind: ListenerKind): readonly (ApiRow | undefined)[] {
  const table: (ApiRow | undefined)[] = [];
  for (const row of rows) {
    // An API of which no version is released yet has none to serve.
    if (!row.listeners.includes(kind) || row.versionMax < row.versionMin) continue;
    if (table[row.apiKey] !== undefined) throw new Error(`two rows for ${row.name} on ${kind} listeners`);
    table[row.apiKey] = row;
  }
  for (let key = 0; key < table.length; key++) table[key] ??= undefined;
  return table;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
