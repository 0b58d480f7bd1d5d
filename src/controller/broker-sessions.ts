/** What the controller knows of brokers' heartbeats; not in the log, gone with a restart. */
interface Session {
  readonly epoch: number;
  lastContactMs: number;
  metadataOffset: number;
  /** -1 outside of a controlled shutdown. */
  shutdownOffset: number;
  /** Heard of since this controller became active. */
  heard: boolean;
  active: boolean;
}

/** Who is alive, by the time of the last heartbeat. */
export class BrokerSessions {
  readonly #timeoutMs: number;
  readonly #sessions = new Map<number, Session>();

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** A broker that is known from the log gets a whole session to make itself heard. */
  assume(id: number, epoch: number, nowMs: number): void {
    if (this.#sessions.has(id)) return;
    this.#sessions.set(id, newSession(epoch, nowMs, false));
  }

  touch(id: number, epoch: number, nowMs: number, metadataOffset: number, active: boolean): void {
    let session = this.#sessions.get(id);
    if (session === undefined || session.epoch !== epoch) {
      session = newSession(epoch, nowMs, true);
      this.#sessions.set(id, session);
    }
    session.heard = true;
    session.lastContactMs = nowMs;
    session.metadataOffset = metadataOffset;
    session.active = active;
  }

  /** Whether the broker with this epoch was heard within the session timeout. */
  isValid(id: number, epoch: number, nowMs: number): boolean {
    const session = this.#sessions.get(id);
    return (
      session?.heard === true && session.epoch === epoch && nowMs - session.lastContactMs < this.#timeoutMs
    );
  }

  /** Unheard of for a whole session, though it had one. */
  isExpired(id: number, nowMs: number): boolean {
    const session = this.#sessions.get(id);
    return session !== undefined && nowMs - session.lastContactMs >= this.#timeoutMs;
  }

  startShutdown(id: number, offset: number): void {
    const session = this.#sessions.get(id);
    if (session !== undefined && session.shutdownOffset < 0) session.shutdownOffset = offset;
  }

  shutdownOffset(id: number): number {
    return this.#sessions.get(id)?.shutdownOffset ?? -1;
  }

  /** How far the slowest active broker has read the log; infinity where there is none. */
  lowestActiveOffset(): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (const session of this.#sessions.values()) {
      if (session.active && session.metadataOffset < lowest) lowest = session.metadataOffset;
    }
    return lowest;
  }

  remove(id: number): void {
    this.#sessions.delete(id);
  }
}

function newSession(epoch: number, nowMs: number, heard: boolean): Session {
  return { epoch, lastContactMs: nowMs, metadataOffset: -1, shutdownOffset: -1, heard, active: false };
}
