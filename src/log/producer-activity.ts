/** Fewer are no producers whom work in the background could hurt: a consumer's own commits are appends too. */
const APPENDS_PER_SECOND_MIN = 20;
/** The rate is taken over so long at least. */
const WINDOW_MS = 100;
/** They count as active for so long after that. */
const LASTS_MS = 1000;

/** Whether producers are at work, so that what can wait leaves them the processors and the disk. */
export class ProducerActivity {
  /** Counted up by whoever writes; wraps nowhere. */
  appends = 0;
  #appendsBefore = 0;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #activeUntilMs = Number.NEGATIVE_INFINITY;

  isActive(nowMs: number): boolean {
    const tookMs = nowMs - this.#lookedMs;
    if (tookMs >= WINDOW_MS) {
      const perSecond = ((this.appends - this.#appendsBefore) * 1000) / tookMs;
      if (perSecond >= APPENDS_PER_SECOND_MIN) this.#activeUntilMs = nowMs + LASTS_MS;
      this.#appendsBefore = this.appends;
      this.#lookedMs = nowMs;
    }
    return nowMs < this.#activeUntilMs;
  }
}
