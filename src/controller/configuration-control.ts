import { ELR_VERSION, metadataVersionAllows } from '../metadata/features.ts';
import { ConfigResourceType } from '../metadata/image.ts';
import { type MetadataRecord, record } from '../metadata/records.ts';
import { Errors, ProtocolError } from '../protocol/errors.ts';
import type { AlterConfigsRequest, AlterConfigsResponse } from '../protocol/messages/alter-configs.ts';
import type {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse,
} from '../protocol/messages/incremental-alter-configs.ts';
import type { ConfigSchema, ValidatedResource } from './ports.ts';
import { apiErrorOf, type ControllerResult, checkRecordCount } from './result.ts';
import type { ControllerState } from './state.ts';
import { topicNameProblem } from './topic-names.ts';

const SET = 0;
const DELETE = 1;
const APPEND = 2;
const SUBTRACT = 3;
const MAX_VALUE_LENGTH = 32_767;
const MIN_ISR = 'min.insync.replicas';
const CORDONED = 'cordoned.log.dirs';

type Resource =
  | IncrementalAlterConfigsRequest['resources'][number]
  | AlterConfigsRequest['resources'][number];
type ResourceResult = IncrementalAlterConfigsResponse['responses'][number];
/** The new value of a setting; null removes it. */
type Changes = ReadonlyMap<string, string | null>;

function invalidRequest(message: string): never {
  throw new ProtocolError(Errors.INVALID_REQUEST, message);
}

function invalidConfig(message: string): never {
  throw new ProtocolError(Errors.INVALID_CONFIG, message);
}

/** Settings of topics, brokers, groups and client metrics that live in metadata. */
export class ConfigurationControl {
  readonly #state: ControllerState;
  readonly #schema: ConfigSchema;
  readonly #nodeId: number;

  constructor(state: ControllerState, schema: ConfigSchema, nodeId: number) {
    this.#state = state;
    this.#schema = schema;
    this.#nodeId = nodeId;
  }

  incrementalAlterConfigs(
    request: IncrementalAlterConfigsRequest,
  ): ControllerResult<IncrementalAlterConfigsResponse> {
    const { records, responses } = this.#each(request.resources, (resource) => {
      checkGiven(resource.configs, (config) => config.configOperation !== DELETE && config.value === null);
      const changes = new Map<string, string | null>();
      for (const config of resource.configs) changes.set(config.name, this.#changed(resource, config));
      return { changes, implicit: [] };
    });
    return { records: request.validateOnly ? [] : records, response: { throttleTimeMs: 0, responses } };
  }

  /** The old form: what is not named goes back to its default. */
  alterConfigs(request: AlterConfigsRequest): ControllerResult<AlterConfigsResponse> {
    const { records, responses } = this.#each(request.resources, (resource) => {
      checkGiven(resource.configs, (config) => config.value === null);
      const changes = new Map<string, string | null>();
      for (const { name, value } of resource.configs) changes.set(name, value);
      const current = this.#state.image.configOf(resource.resourceType, resource.resourceName);
      return { changes, implicit: [...current.keys()].filter((name) => !changes.has(name)) };
    });
    return { records: request.validateOnly ? [] : records, response: { throttleTimeMs: 0, responses } };
  }

  #each<R extends Resource>(
    resources: readonly R[],
    decide: (resource: R) => { changes: Changes; implicit: readonly string[] },
  ): { records: MetadataRecord[]; responses: ResourceResult[] } {
    const counts = new Map<string, number>();
    const keyOf = (one: Resource) => `${one.resourceType}:${one.resourceName}`;
    for (const resource of resources) counts.set(keyOf(resource), (counts.get(keyOf(resource)) ?? 0) + 1);
    const records: MetadataRecord[] = [];
    const responses = resources.map((resource) => {
      const error = apiErrorOf(() => {
        if ((counts.get(keyOf(resource)) ?? 0) > 1)
          invalidRequest('The request names this resource twice; put all its changes into one.');
        this.#checkResource(resource);
        const { changes, implicit } = decide(resource);
        for (const one of this.#alter(resource, changes, implicit)) records.push(one);
      });
      checkRecordCount(records.length);
      const { resourceType, resourceName } = resource;
      return { errorCode: error.code, errorMessage: error.message, resourceType, resourceName };
    });
    return { records: [...records, ...this.#clearElr(records)], responses };
  }

  #checkResource({ resourceType, resourceName }: Resource): void {
    if (resourceType === ConfigResourceType.BROKER && resourceName !== '') {
      if (!/^[+-]?\d+$/.test(resourceName))
        invalidRequest(`A broker is named by its number, not ${resourceName}.`);
      if (Number(resourceName) !== this.#nodeId) {
        invalidRequest(`This is broker ${this.#nodeId}; ask broker ${resourceName} itself.`);
      }
    } else if (resourceType === ConfigResourceType.TOPIC) {
      if (resourceName === '') invalidRequest('A topic needs a name: there are no settings of all topics.');
      const problem = topicNameProblem(resourceName);
      if (problem !== undefined) throw new ProtocolError(Errors.INVALID_TOPIC_EXCEPTION, problem);
    } else if (resourceType === ConfigResourceType.GROUP) {
      if (resourceName === '') invalidRequest('A group needs a name: there are no settings of all groups.');
    } else if (
      resourceType !== ConfigResourceType.BROKER &&
      resourceType !== ConfigResourceType.CLIENT_METRICS
    ) {
      invalidRequest(`There are no settings of the resource type ${resourceType}.`);
    }
  }

  #changed(
    resource: Resource,
    config: { readonly name: string; readonly configOperation: number; readonly value: string | null },
  ): string | null {
    const { name, value } = config;
    const kind = validatedAs(resource);
    switch (config.configOperation) {
      case SET:
        return value;
      case DELETE:
        return null;
      case APPEND:
      case SUBTRACT: {
        const append = config.configOperation === APPEND;
        if (!this.#schema.isList(kind, name)) {
          invalidConfig(
            `${name}: ${append ? 'APPEND' : 'SUBTRACT'} works on lists only, and this is none. Set it instead.`,
          );
        }
        const current = this.#state.image.configOf(resource.resourceType, resource.resourceName).get(name);
        return listChanged(current ?? this.#schema.defaultText(kind, name) ?? '', value ?? '', append);
      }
      default:
        return invalidRequest(
          `${name}: there is no operation ${config.configOperation}, only 0 to 3 (set, delete, append, subtract).`,
        );
    }
  }

  #alter(resource: Resource, changes: Changes, implicit: readonly string[]): MetadataRecord[] {
    const { resourceType, resourceName } = resource;
    const current = this.#state.image.configOf(resourceType, resourceName);
    const next = new Map(current);
    const records: MetadataRecord[] = [];
    for (const [name, value] of [...changes, ...implicit.map((one) => [one, null] as const)]) {
      // A broker reads its key files again when it is given the same name once more (KAFKA-14136).
      if (value === (current.get(name) ?? null) && resourceType !== ConfigResourceType.BROKER) continue;
      this.#checkChange(resource, name, value);
      if (value === null) next.delete(name);
      else next.set(name, value);
      records.push(record('ConfigRecord', 0, { resourceType, resourceName, name, value }));
    }
    this.#schema.validate(validatedAs(resource), resourceName, next);
    this.#checkExists(resource);
    return records;
  }

  #checkChange({ resourceType, resourceName }: Resource, name: string, value: string | null): void {
    const isBroker = resourceType === ConfigResourceType.BROKER;
    const { features, metadataVersion } = this.#state.image;
    const elr = (features.finalized.get(ELR_VERSION) ?? 0) > 0;
    if (isBroker && name === MIN_ISR && elr) {
      if (resourceName !== '')
        invalidConfig(`${MIN_ISR} is one for all brokers while ${ELR_VERSION} is above 0.`);
      if (value === null)
        invalidConfig(
          `${MIN_ISR} of all brokers must have a value while ${ELR_VERSION} is above 0; set another one.`,
        );
    }
    if (isBroker && name === CORDONED && !metadataVersionAllows.cordonedLogDirs(metadataVersion)) {
      invalidConfig(`${CORDONED} needs metadata.version 4.3-IV0 or above; upgrade that first.`);
    }
    if (value !== null && value.length > MAX_VALUE_LENGTH) {
      invalidConfig(`The new value of ${name} has ${value.length} characters; ${MAX_VALUE_LENGTH} fit.`);
    }
  }

  #checkExists({ resourceType, resourceName }: Resource): void {
    if (resourceType === ConfigResourceType.TOPIC && !this.#state.image.topicsByName.has(resourceName)) {
      throw new ProtocolError(Errors.UNKNOWN_TOPIC_OR_PARTITION, `There is no topic ${resourceName}.`);
    }
  }

  /** Another min.insync.replicas makes what is known of eligible leaders worthless. */
  #clearElr(records: readonly MetadataRecord[]): MetadataRecord[] {
    if ((this.#state.image.features.finalized.get(ELR_VERSION) ?? 0) === 0) return [];
    const cleared: MetadataRecord[] = [];
    for (const one of records) {
      if (one.type !== 'ConfigRecord' || one.data.name !== MIN_ISR) continue;
      const topicName = one.data.resourceType === ConfigResourceType.TOPIC ? one.data.resourceName : '';
      cleared.push(record('ClearElrRecord', 0, { topicName }));
    }
    return cleared;
  }
}

function validatedAs({ resourceType, resourceName }: Resource): ValidatedResource {
  if (resourceType === ConfigResourceType.TOPIC) return 'topic';
  if (resourceType === ConfigResourceType.GROUP) return 'group';
  if (resourceType === ConfigResourceType.CLIENT_METRICS) return 'client-metrics';
  return resourceName === '' ? 'cluster' : 'broker';
}

function checkGiven<C extends { readonly name: string }>(
  configs: readonly C[],
  isNull: (config: C) => boolean,
): void {
  if (new Set(configs.map((config) => config.name)).size < configs.length) {
    invalidRequest('A setting is named twice for one resource.');
  }
  const empty = configs.filter(isNull).map((config) => config.name);
  if (empty.length > 0)
    invalidRequest(`No value is given for ${empty.join(', ')}; the operation DELETE (1) removes a setting.`);
}

function listChanged(list: string, entries: string, append: boolean): string {
  const parts = list.split(',').filter((part) => part !== '');
  for (const entry of entries.split(',')) {
    const at = parts.indexOf(entry);
    if (append && at < 0) parts.push(entry);
    else if (!append && at >= 0) parts.splice(at, 1);
  }
  return parts.join(',');
}
