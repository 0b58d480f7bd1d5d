import { InvalidConfigError } from '../../config/config-error.ts';
import { ConfigOperation } from '../../config/validation.ts';
import { Errors, ProtocolError } from '../../protocol/errors.ts';

/** Resource types of the config APIs. */
export const ResourceType = {
  TOPIC: 2,
  BROKER: 4,
  BROKER_LOGGER: 8,
  CLIENT_METRICS: 16,
  GROUP: 32,
} as const;

export interface ConfigResource {
  readonly resourceType: number;
  readonly resourceName: string;
}

interface AlteredResource extends ConfigResource {
  readonly configs: readonly {
    readonly name: string;
    readonly value: string | null;
    readonly configOperation?: number;
  }[];
}

export interface ResourceAnswer extends ConfigResource {
  readonly errorCode: number;
  readonly errorMessage: string | null;
}

export const answerOf = (
  { resourceType, resourceName }: ConfigResource,
  errorCode: number,
  errorMessage: string | null,
): ResourceAnswer => ({ resourceType, resourceName, errorCode, errorMessage });

const keyOf = ({ resourceType, resourceName }: ConfigResource) => `${resourceType} ${resourceName}`;

const invalid = (message: string) => new ProtocolError(Errors.INVALID_REQUEST, message);

/** What a refused setting is answered with: the broker's own check has codes of the protocol by name. */
export function configErrorAnswer(resource: ConfigResource, error: unknown): ResourceAnswer {
  if (error instanceof ProtocolError) return answerOf(resource, error.code, error.message);
  if (error instanceof InvalidConfigError) return answerOf(resource, Errors[error.errorName], error.message);
  throw error;
}

/** This broker's id as text, or empty where all brokers may be meant. */
export function checkBrokerName(name: string, nodeId: number): void {
  if (!/^[+-]?\d+$/.test(name)) throw invalid(`A broker is named by its number, not ${name}.`);
  if (Number(name) !== nodeId) {
    throw invalid(`This is broker ${nodeId}; ask broker ${name} itself.`);
  }
}

export interface AlterCheck<Resource extends AlteredResource> {
  readonly resources: readonly Resource[];
  readonly nodeId: number;
  /** Throws where the broker's settings would not be valid after the change. */
  readonly validateBroker: (resource: Resource, level: 'broker' | 'cluster') => void;
}

/**
 * What the broker itself checks before the controller sees a change: names that occur twice, missing values, and its
 * own settings. The answers of resources that fail; the others are left to the controller.
 */
export function checkAlterations<Resource extends AlteredResource>(
  check: AlterCheck<Resource>,
): Map<Resource, ResourceAnswer> {
  const failed = new Map<Resource, ResourceAnswer>();
  const seen = new Map<string, Resource>();
  for (const resource of check.resources) {
    const earlier = seen.get(keyOf(resource));
    seen.set(keyOf(resource), resource);
    if (earlier === undefined) continue;
    for (const twice of [earlier, resource]) {
      failed.set(
        twice,
        answerOf(
          twice,
          Errors.INVALID_REQUEST,
          'The request names this resource twice; put all its changes into one.',
        ),
      );
    }
  }
  for (const resource of check.resources) {
    if (failed.has(resource)) continue;
    try {
      checkEntries(resource);
      checkResource(resource, check);
    } catch (error) {
      failed.set(resource, configErrorAnswer(resource, error));
    }
  }
  return failed;
}

function checkEntries({ configs }: AlteredResource): void {
  if (new Set(configs.map(({ name }) => name)).size !== configs.length) {
    throw invalid('A setting is named twice for one resource.');
  }
  const withoutValue = configs.filter(
    ({ value, configOperation }) => value === null && configOperation !== ConfigOperation.DELETE,
  );
  if (withoutValue.length > 0) {
    const names = withoutValue.map(({ name }) => name).join(', ');
    throw invalid(`No value is given for ${names}; the operation DELETE (1) removes a setting.`);
  }
}

function checkResource<Resource extends AlteredResource>(
  resource: Resource,
  { nodeId, validateBroker }: AlterCheck<Resource>,
): void {
  switch (resource.resourceType) {
    case ResourceType.TOPIC:
    case ResourceType.GROUP:
      return;
    case ResourceType.BROKER:
      if (resource.resourceName !== '') checkBrokerName(resource.resourceName, nodeId);
      validateBroker(resource, resource.resourceName === '' ? 'cluster' : 'broker');
      return;
    default:
      throw unsupported(resource.resourceType);
  }
}

/** Types that Apache Kafka serves and this broker does not serve yet are named, so that nobody thinks them unknown. */
export function unsupported(resourceType: number): ProtocolError {
  const names = Object.entries(ResourceType).find(([, code]) => code === resourceType);
  if (names === undefined) return invalid(`There are no settings of the resource type ${resourceType}.`);
  return invalid(`Settings of the resource type ${names[0]} are not served by this broker yet.`);
}

/** The answers in the order of the request: those that failed here, and the controller's. */
export function inRequestOrder<Resource extends AlteredResource>(
  resources: readonly Resource[],
  failed: ReadonlyMap<Resource, ResourceAnswer>,
  answers: readonly ResourceAnswer[],
): ResourceAnswer[] {
  const byKey = new Map(answers.map((answer) => [keyOf(answer), answer]));
  return resources.map(
    (resource) =>
      failed.get(resource) ??
      byKey.get(keyOf(resource)) ??
      answerOf(resource, Errors.UNKNOWN_SERVER_ERROR, 'The controller gave no answer for this resource'),
  );
}
