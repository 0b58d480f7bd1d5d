import { ANSWER_BYTES_MAX, ANSWER_BYTES_PRESSED, FETCH_ROOM_MIN } from './limits.ts';

/** The memory of one node for answers: what fetches have read, and what is encoded and not yet with the peers. */
export class AnswerMemory {
  readonly #bytes: () => number;

  /** `bytes` is how much is in use now. */
  constructor(bytes: () => number) {
    this.#bytes = bytes;
  }

  /** Peers that do not take their answers must go, so that others get theirs. */
  get isPressed(): boolean {
    return this.#bytes() >= ANSWER_BYTES_PRESSED;
  }

  /** Most bytes that one fetch may take memory for now. 0: it reads what is in memory anyway. */
  fetchRoom(): number {
    const bytes = this.#bytes();
    if (bytes >= ANSWER_BYTES_MAX) return 0;
    return Math.max(FETCH_ROOM_MIN, ANSWER_BYTES_PRESSED - bytes);
  }
}
