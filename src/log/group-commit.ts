export interface GroupCommitInput {
  /** What survives a power loss when the log is opened, and what its files hold. */
  readonly syncedEnd: number;
  readonly writtenEnd: number;
  /** The offset after the last record in the files now. */
  readonly currentEnd: () => number;
  /** fdatasync of all that was written, or cut, up to the call. */
  readonly sync: () => Promise<void>;
  readonly onSynced: () => void;
  /** A sync failed; it is never tried again (what the kernel could not write it may have dropped). */
  readonly onFailed: (error: unknown) => void;
}

/**
 * One fdatasync at a time for a log, each for everything written until it begins: appends that come meanwhile share the
 * next one. Knows up to where the log is synced (its recovery point) and up to where somebody waits for that.
 */
export class GroupCommit {
  readonly #input: GroupCommitInput;
  #syncedEnd: number;
  #begunEnd: number;
  #demandedEnd = 0;
  #running: Promise<void> | undefined;
  #again = false;
  /** The log was cut since the last sync began. */
  #isCut = false;
  #stopped = false;

  constructor(input: GroupCommitInput) {
    this.#input = input;
    this.#syncedEnd = input.syncedEnd;
    this.#begunEnd = input.writtenEnd;
  }

  /** All below survives a power loss. */
  get syncedEnd(): number {
    return this.#syncedEnd;
  }

  /** Records that no sync covers, not even a running one. */
  get uncoveredCount(): number {
    return this.#input.currentEnd() - this.#begunEnd;
  }

  /** How far answers may go: to the end of the files, or, where a sync is demanded, to what is synced. */
  get visibleEnd(): number {
    return this.#demandedEnd > this.#syncedEnd ? this.#syncedEnd : this.#input.currentEnd();
  }

  /** What is written now must be synced before anybody hears of it. */
  demand(): void {
    this.#demandedEnd = this.#input.currentEnd();
    this.start();
  }

  /** Starts a sync, or another one behind the one that runs. */
  start(): void {
    this.#again = this.#running !== undefined;
    if (this.#running === undefined) this.#run();
  }

  /** Resolves when all that is written now is synced, or cut, and the cuts are. Resolves early when stopped. */
  async flush(): Promise<void> {
    const end = this.#input.currentEnd();
    while (!this.#stopped && (this.#isCut || this.#syncedEnd < Math.min(end, this.#input.currentEnd()))) {
      await (this.#running ?? this.#run());
    }
  }

  /** One more sync, whether bytes were written or not. Resolves when it is over, or failed. */
  async syncOnce(): Promise<void> {
    await this.#running;
    if (!this.#stopped) await (this.#running ?? this.#run());
  }

  /** The log was cut at `offset`. */
  cutAt(offset: number): void {
    this.#isCut = true;
    this.#syncedEnd = Math.min(this.#syncedEnd, offset);
    this.#begunEnd = Math.min(this.#begunEnd, offset);
    this.#demandedEnd = Math.min(this.#demandedEnd, offset);
  }

  stop(): void {
    this.#stopped = true;
  }

  #run(): Promise<void> {
    const end = this.#input.currentEnd();
    this.#begunEnd = end;
    this.#again = false;
    this.#isCut = false;
    this.#running = this.#input.sync().then(
      () => this.#onSynced(end),
      (error: unknown) => {
        this.#running = undefined;
        if (this.#stopped) return;
        this.#stopped = true;
        this.#input.onFailed(error);
      },
    );
    return this.#running;
  }

  #onSynced(end: number): void {
    this.#running = undefined;
    if (this.#stopped) return;
    // The log may have been cut meanwhile.
    this.#syncedEnd = Math.max(this.#syncedEnd, Math.min(end, this.#begunEnd));
    this.#input.onSynced();
    if (!this.#stopped && (this.#again || this.#demandedEnd > this.#syncedEnd)) this.start();
  }
}
