import { Errors, ProtocolError } from '../protocol/errors.ts';

/** A run of producer ids that belongs to this broker. */
export interface ProducerIdBlock {
  readonly first: bigint;
  readonly count: number;
}

/** When so much of a block is used, the next one is asked for. */
const REFILL_AT = 0.9;

/**
 * Hands out producer ids from blocks that the controller gives, one block ahead, so that InitProducerId rarely waits
 * for the metadata log (KIP-730).
 */
export class ProducerIds {
  readonly #allocate: () => Promise<ProducerIdBlock>;
  #next = 0n;
  #left = 0;
  #refillBelow = 0;
  #coming: Promise<void> | undefined;
  #ahead: ProducerIdBlock | undefined;

  constructor(allocate: () => Promise<ProducerIdBlock>) {
    this.#allocate = allocate;
  }

  /** A producer id that nobody else has. Rejects with COORDINATOR_LOAD_IN_PROGRESS where no block can be had now. */
  async next(): Promise<bigint> {
    while (this.#left === 0) {
      if (!this.#useAhead()) await this.#refill();
    }
    const id = this.#next;
    this.#next += 1n;
    this.#left -= 1;
    if (this.#left <= this.#refillBelow && this.#ahead === undefined) this.#refill().catch(() => undefined);
    return id;
  }

  #useAhead(): boolean {
    const block = this.#ahead;
    if (block === undefined) return false;
    this.#ahead = undefined;
    this.#next = block.first;
    this.#left = block.count;
    this.#refillBelow = Math.floor(block.count * (1 - REFILL_AT));
    return true;
  }

  #refill(): Promise<void> {
    this.#coming ??= this.#allocate()
      .then(
        (block) => {
          this.#ahead = block;
        },
        (error: unknown) => {
          const text = error instanceof Error ? error.message : String(error);
          throw new ProtocolError(Errors.COORDINATOR_LOAD_IN_PROGRESS, text);
        },
      )
      .finally(() => {
        this.#coming = undefined;
      });
    return this.#coming;
  }
}
