import {
  ELR_VERSION,
  type FeatureRange,
  isMetadataVersion,
  KRAFT_VERSION,
  MAX_METADATA_VERSION,
  METADATA_VERSION,
  MIN_METADATA_VERSION,
  metadataChangedBetween,
  unmetDependency,
} from '../metadata/features.ts';
import { ConfigResourceType } from '../metadata/image.ts';
import { type MetadataRecord, record } from '../metadata/records.ts';
import { Errors, ProtocolError } from '../protocol/errors.ts';
import type { UpdateFeaturesRequest, UpdateFeaturesResponse } from '../protocol/messages/update-features.ts';
import { apiErrorOf, type ControllerResult, type RequestContext } from './result.ts';
import type { ControllerState } from './state.ts';

const UPGRADE = 1;
const SAFE_DOWNGRADE = 2;
const UNSAFE_DOWNGRADE = 3;

export interface FeatureOptions {
  readonly supported: ReadonlyMap<string, FeatureRange>;
  readonly kraftVersion: () => number;
  readonly minInsyncReplicas: () => number;
}

type Update = UpdateFeaturesRequest['featureUpdates'][number];

function invalid(message: string): never {
  throw new ProtocolError(Errors.INVALID_UPDATE_VERSION, message);
}

/** Finalized feature levels: UpdateFeatures (KIP-584, KIP-778). All updates of a request happen, or none. */
export class FeatureControl {
  readonly #state: ControllerState;
  readonly #options: FeatureOptions;

  constructor(state: ControllerState, options: FeatureOptions) {
    this.#state = state;
    this.#options = options;
  }

  updateFeatures(
    request: UpdateFeaturesRequest,
    context: RequestContext,
  ): ControllerResult<UpdateFeaturesResponse> {
    const records: MetadataRecord[] = [];
    const proposed = this.finalized();
    for (const { feature, maxVersionLevel } of request.featureUpdates) proposed.set(feature, maxVersionLevel);
    const error = apiErrorOf(() => {
      const names = request.featureUpdates.map((update) => update.feature);
      if (new Set(names).size < names.length) {
        throw new ProtocolError(Errors.INVALID_REQUEST, 'A feature is named twice.');
      }
      for (const update of request.featureUpdates) {
        for (const one of this.#update(update, proposed, context.apiVersion)) records.push(one);
      }
    });
    const failed = error.code !== Errors.NONE;
    const response = {
      throttleTimeMs: 0,
      errorCode: error.code,
      errorMessage: failed ? `No feature was changed: ${error.message}` : null,
      results:
        failed || context.apiVersion > 1
          ? []
          : request.featureUpdates.map(({ feature }) => ({
              feature,
              errorCode: Errors.NONE,
              errorMessage: null,
            })),
    };
    return { records: failed || request.validateOnly ? [] : records, response };
  }

  /** The levels of all features, metadata.version included. */
  finalized(): Map<string, number> {
    const { features } = this.#state.image;
    return new Map([...features.finalized, [METADATA_VERSION, features.metadataVersion]]);
  }

  #update(update: Update, proposed: ReadonlyMap<string, number>, apiVersion: number): MetadataRecord[] {
    const { feature, maxVersionLevel: level } = update;
    const upgradeType =
      apiVersion === 0 ? (update.allowDowngrade ? SAFE_DOWNGRADE : UPGRADE) : update.upgradeType;
    const refuse = (problem: string) => invalid(`${feature} can't go to ${level}: ${problem}`);
    if (upgradeType < UPGRADE || upgradeType > UNSAFE_DOWNGRADE) {
      refuse(`the upgrade type ${upgradeType} is unknown; 1 upgrades, 2 downgrades safely, 3 at any price.`);
    }
    const current =
      feature === KRAFT_VERSION ? this.#options.kraftVersion() : (this.finalized().get(feature) ?? 0);
    if (level < 0) refuse('levels begin at 0.');
    const problem = this.#reasonNotSupported(feature, level);
    if (problem !== undefined) refuse(problem);
    if (level < current && upgradeType === UPGRADE) {
      refuse(
        `it is at ${current}, and a request to upgrade does not lower it; ask for a downgrade (type 2 or 3).`,
      );
    }
    if (level > current && upgradeType !== UPGRADE)
      refuse(`it is at ${current}, and a downgrade does not raise it; ask for an upgrade (type 1).`);
    if (feature === METADATA_VERSION) return this.#metadataVersion(current, level, upgradeType);
    if (feature === KRAFT_VERSION) {
      if (level === current) return upgradeType === UPGRADE ? [record('NoOpRecord', 0, {})] : [];
      return refuse(
        level > current
          ? 'it is kept as it is in this version.'
          : `it is at ${current}, and never goes back.`,
      );
    }
    const unmet = unmetDependency(feature, level, proposed);
    if (unmet !== undefined) refuse(unmet);
    const change = record('FeatureLevelRecord', 0, { name: feature, featureLevel: level });
    return feature === ELR_VERSION && level > 0 ? [...this.#elrSafety(), change] : [change];
  }

  #metadataVersion(current: number, level: number, upgradeType: number): MetadataRecord[] {
    if (!isMetadataVersion(level)) {
      invalid(
        `metadata.version ${level} is unknown here; it can be ${MIN_METADATA_VERSION} to ${MAX_METADATA_VERSION}.`,
      );
    }
    if (level < current && metadataChangedBetween(current, level)) {
      invalid(
        `metadata.version stays at ${current}: what was written since ${level} would be lost` +
          (upgradeType === UNSAFE_DOWNGRADE ? ', which is not done here even when asked for.' : '.'),
      );
    }
    return [record('FeatureLevelRecord', 0, { name: METADATA_VERSION, featureLevel: level })];
  }

  #reasonNotSupported(feature: string, level: number): string | undefined {
    const local = notIn(this.#options.supported.get(feature), level, 'this controller', feature);
    if (local !== undefined) return local;
    for (const broker of this.#state.image.brokers.values()) {
      const row = broker.features.find((one) => one.name === feature);
      const range =
        row === undefined ? undefined : { min: row.minSupportedVersion, max: row.maxSupportedVersion };
      const problem = notIn(range, level, `broker ${broker.id}`, feature);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  /** Eligible leader replicas need one min.insync.replicas for the whole cluster. */
  #elrSafety(): MetadataRecord[] {
    const { image } = this.#state;
    const records: MetadataRecord[] = [];
    const name = 'min.insync.replicas';
    if (!image.configOf(ConfigResourceType.BROKER, '').has(name)) {
      const value = String(this.#options.minInsyncReplicas());
      records.push(record('ConfigRecord', 0, { resourceType: 4, resourceName: '', name, value }));
    }
    for (const resource of image.configResources()) {
      if (resource.type !== ConfigResourceType.BROKER || resource.name === '' || !resource.values.has(name))
        continue;
      records.push(
        record('ConfigRecord', 0, { resourceType: 4, resourceName: resource.name, name, value: null }),
      );
    }
    return records;
  }
}

function notIn(
  range: FeatureRange | undefined,
  level: number,
  who: string,
  feature: string,
): string | undefined {
  if (range === undefined) return level === 0 ? undefined : `${who} does not know it.`;
  if (level === 0 && feature !== METADATA_VERSION) return undefined;
  if (level >= range.min && level <= range.max) return undefined;
  return `${who} knows ${range.min} to ${range.max} only.`;
}
