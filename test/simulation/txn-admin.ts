import { TRANSACTION_VERSION } from '../../src/metadata/features.ts';
import type { MetadataImage } from '../../src/metadata/image.ts';
import { LOST_DIRECTORY, NO_LEADER } from '../../src/metadata/registrations.ts';
import { defaults } from '../../src/protocol/codec.ts';
import { Errors, errorName } from '../../src/protocol/errors.ts';
import {
  AssignReplicasToDirsRequest,
  AssignReplicasToDirsResponse,
} from '../../src/protocol/messages/assign-replicas-to-dirs.ts';
import {
  BrokerHeartbeatRequest,
  BrokerHeartbeatResponse,
} from '../../src/protocol/messages/broker-heartbeat.ts';
import { ElectLeadersRequest, ElectLeadersResponse } from '../../src/protocol/messages/elect-leaders.ts';
import {
  UpdateFeaturesRequest,
  UpdateFeaturesResponse,
} from '../../src/protocol/messages/update-features.ts';
import { type KafkaClient, OutcomeUnknown } from './kafka-client.ts';
import { promised } from './model.ts';
import type { SeededRandom } from './random.ts';
import type { TxnModel } from './txn-model.ts';
import type { World } from './world.ts';

const PREFERRED = 0;
const UPGRADE = 1;
const SAFE_DOWNGRADE = 2;
const VERSION_MAX = 2;
/** A request of before, whose answer was lost, may come through late: then there is nothing to change, or another way. */
const ALLOWED: ReadonlySet<number> = new Set([
  Errors.NONE,
  Errors.NOT_CONTROLLER,
  Errors.INVALID_UPDATE_VERSION,
]);

export interface TxnAdminOptions {
  readonly world: World;
  readonly random: SeededRandom;
  readonly model: TxnModel;
  /** To a listener of the broker. */
  readonly broker: KafkaClient;
  /** To a listener of the controller. */
  readonly controller: KafkaClient;
  /** What the node knows; undefined while it is down. */
  readonly image: () => MetadataImage | undefined;
}

/**
 * Takes leaderships from the only node and gives them back in a new epoch, as in a cluster they move, and changes the level
 * of transaction.version. Each partition moves for itself: the controller is told that its log dir is lost, and when the
 * broker has corrected that, a leader is elected. Now and then the broker is fenced as a whole.
 */
export class TxnAdmin {
  readonly #options: TxnAdminOptions;

  constructor(options: TxnAdminOptions) {
    this.#options = options;
  }

  /** Does one of these things; returns when it is done, or where the node went away meanwhile. */
  async disturb(): Promise<void> {
    const { random } = this.#options;
    await this.#try(async () => {
      const what = random.below(10);
      if (what < 6) await this.#moveSome();
      else if (what < 8) await this.#fence();
      else await this.#changeVersion();
    });
  }

  /** Gives all partitions leaders; false where it is to be tried again. */
  async heal(): Promise<boolean> {
    let healed = false;
    await this.#try(async () => {
      await this.#elect();
      healed = this.#partitions().every(({ leader }) => leader !== NO_LEADER);
    });
    return healed;
  }

  /** Brokers and the partitions that have no leader. */
  describe(): string {
    const image = this.#options.image();
    const brokers = Array.from(image?.brokers.values() ?? [], ({ id, epoch, fenced }) => ({
      id,
      epoch: String(epoch),
      fenced,
    }));
    const partitions = Array.from(image?.topicsByName.values() ?? []).flatMap(({ name, partitions: all }) =>
      Array.from(all, (partition, index) => ({ name, index, ...partition })),
    );
    return JSON.stringify([...brokers, ...partitions.filter(({ leader }) => leader === NO_LEADER)]);
  }

  async #try(action: () => Promise<void>): Promise<void> {
    const { broker, controller } = this.#options;
    if (!(await broker.connect()) || !(await controller.connect())) return;
    try {
      await action();
    } catch (error) {
      if (!(error instanceof OutcomeUnknown)) throw error;
    }
  }

  #partitions() {
    const image = this.#options.image();
    return Array.from(image?.topicsByName.values() ?? []).flatMap(({ id, partitions }) =>
      Array.from(partitions, ({ leader }, partitionIndex) => ({ topicId: id, partitionIndex, leader })),
    );
  }

  async #moveSome(): Promise<void> {
    const { random, controller, model, world } = this.#options;
    const self = this.#self();
    const all = this.#partitions();
    if (self === undefined || all.length === 0) return;
    const some = Array.from({ length: random.between(1, 2) }, () => random.pick(all));
    const api = { request: AssignReplicasToDirsRequest, response: AssignReplicasToDirsResponse };
    const { errorCode } = await controller.ask(api, 0, {
      ...self,
      directories: [
        {
          id: LOST_DIRECTORY,
          topics: some.map(({ topicId, partitionIndex }) => ({ topicId, partitions: [{ partitionIndex }] })),
        },
      ],
    });
    model.count(errorCode === Errors.NONE ? 'moves' : `moves: ${errorName(errorCode)}`);
    await world.sleep(random.below(400));
    await this.#elect();
  }

  /** Elections find no leader as long as the log dir is lost. */
  async #elect(): Promise<void> {
    const { broker } = this.#options;
    const api = { request: ElectLeadersRequest, response: ElectLeadersResponse };
    const request = { electionType: PREFERRED, topicPartitions: null, timeoutMs: 1000 };
    await broker.ask(api, 2, request);
  }

  /** Until its next heartbeat, which does not want that. */
  async #fence(): Promise<void> {
    const { controller, model } = this.#options;
    const self = this.#self();
    if (self === undefined) return;
    const api = { request: BrokerHeartbeatRequest, response: BrokerHeartbeatResponse };
    const request = defaults<BrokerHeartbeatRequest>(BrokerHeartbeatRequest, {
      ...self,
      currentMetadataOffset: self.brokerEpoch,
      wantFence: true,
    });
    const { errorCode } = await controller.ask(api, 0, request);
    model.count(errorCode === Errors.NONE ? 'fences' : `fences: ${errorName(errorCode)}`);
  }

  async #changeVersion(): Promise<void> {
    const { broker, random, model } = this.#options;
    const image = this.#options.image();
    if (image === undefined) return;
    const level = image.features.finalized.get(TRANSACTION_VERSION) ?? 0;
    const maxVersionLevel = random.below(VERSION_MAX + 1);
    if (level === maxVersionLevel) return;
    const api = { request: UpdateFeaturesRequest, response: UpdateFeaturesResponse };
    const upgradeType = maxVersionLevel > level ? UPGRADE : SAFE_DOWNGRADE;
    const request = defaults<UpdateFeaturesRequest>(UpdateFeaturesRequest, {
      featureUpdates: [{ feature: TRANSACTION_VERSION, maxVersionLevel, upgradeType }],
      timeoutMs: 1000,
    });
    const { errorCode, errorMessage } = await broker.ask(api, 2, request);
    promised(
      ALLOWED.has(errorCode),
      () => `${TRANSACTION_VERSION} can't become ${maxVersionLevel}: ${errorName(errorCode)} ${errorMessage}`,
    );
    model.count(`${TRANSACTION_VERSION} ${maxVersionLevel}`);
  }

  #self(): { readonly brokerId: number; readonly brokerEpoch: number } | undefined {
    for (const { id, epoch } of this.#options.image()?.brokers.values() ?? []) {
      return { brokerId: id, brokerEpoch: Number(epoch) };
    }
    return undefined;
  }
}
