import { Errors, errorName } from '../../src/protocol/errors.ts';
import { type Api, type KafkaClient, OutcomeUnknown } from './kafka-client.ts';
import { promised } from './model.ts';
import type { SeededRandom } from './random.ts';
import type { TxnModel } from './txn-model.ts';
import type { World } from './world.ts';

const TRIES_MAX = 400;

export const RETRIABLE: ReadonlySet<number> = new Set([
  Errors.COORDINATOR_LOAD_IN_PROGRESS,
  Errors.COORDINATOR_NOT_AVAILABLE,
  Errors.NOT_COORDINATOR,
  Errors.CONCURRENT_TRANSACTIONS,
  Errors.NOT_ENOUGH_REPLICAS,
  Errors.NOT_LEADER_OR_FOLLOWER,
  Errors.UNKNOWN_TOPIC_OR_PARTITION,
  Errors.LEADER_NOT_AVAILABLE,
  Errors.REQUEST_TIMED_OUT,
  Errors.UNSTABLE_OFFSET_COMMIT,
]);

/** What ends a transaction, but not its producer. */
const ABORTABLE: ReadonlySet<number> = new Set([Errors.TRANSACTION_ABORTABLE]);
/** The partition has forgotten a producer that was silent for long. */
const FORGOTTEN: ReadonlySet<number> = new Set([
  Errors.OUT_OF_ORDER_SEQUENCE_NUMBER,
  Errors.UNKNOWN_PRODUCER_ID,
]);

/** Somebody else has the transactional id, or the coordinator has ended the transaction. */
const FENCED: ReadonlySet<number> = new Set([
  Errors.INVALID_PRODUCER_EPOCH,
  Errors.PRODUCER_FENCED,
  Errors.INVALID_TXN_STATE,
  Errors.INVALID_PRODUCER_ID_MAPPING,
]);

/** Somebody else is this producer, or this member of a group. */
export class Fenced extends Error {}
export class MustAbort extends Error {}
/** The faults took too long, or are over: this producer does not go on. */
export class GaveUp extends Error {}

export interface TxnRequestsOptions {
  readonly world: World;
  readonly random: SeededRandom;
  readonly model: TxnModel;
  /** Sends what it is told. */
  readonly client: KafkaClient;
  /** Brings late copies of requests. */
  readonly copies: KafkaClient;
  /** Producers that are silent for long are forgotten. */
  readonly expires: boolean;
}

/** Asks as clients do that want to know what has become of it. */
export class TxnRequests {
  readonly #options: TxnRequestsOptions;

  constructor(options: TxnRequestsOptions) {
    this.#options = options;
  }

  /** Asks until there is an answer that stays. Throws what `refusalOf` makes of a code; else what a producer makes of it. */
  async persist<Request, Response>(
    api: Api<Request, Response>,
    version: number,
    request: Request,
    codeOf: (response: Response) => number,
    refusalOf: (code: number) => Error | undefined = () => undefined,
  ): Promise<Response> {
    const { client, world, random, model, expires } = this.#options;
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      if (tries > 0) await world.sleep(random.between(1, 120));
      if (!(await client.connect())) continue;
      let response: Response;
      try {
        response = await client.ask(api, version, request);
      } catch (error) {
        if (!(error instanceof OutcomeUnknown)) throw error;
        model.count('asked again');
        continue;
      }
      const code = codeOf(response);
      if (code === Errors.NONE) return response;
      if (RETRIABLE.has(code)) continue;
      const refusal = refusalOf(code);
      if (refusal !== undefined) throw refusal;
      if (ABORTABLE.has(code) || (expires && FORGOTTEN.has(code))) throw new MustAbort(errorName(code));
      promised(FENCED.has(code), () => `${api.request.name} v${version} was answered ${errorName(code)}`);
      throw new Fenced(errorName(code));
    }
    throw new GaveUp(api.request.name);
  }

  /** The network brings some requests twice, the second time late and on another way. */
  copyLater<Request, Response>(api: Api<Request, Response>, version: number, request: Request): void {
    const { world, random, copies, model } = this.#options;
    if (!random.chance(0.1)) return;
    world.after(random.below(random.pick([20, 3000])), () => {
      copies
        .connect()
        .then((connected) => {
          if (!connected) return undefined;
          model.count('copies');
          return copies.ask(api, version, request);
        })
        .catch((error: unknown) => {
          if (!(error instanceof OutcomeUnknown)) throw error;
        });
    });
  }
}
