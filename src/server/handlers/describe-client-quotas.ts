import type { ClientQuotaEntity } from '../../metadata/image.ts';
import { type ErrorCode, Errors, ProtocolError } from '../../protocol/errors.ts';
import {
  DescribeClientQuotasRequest,
  DescribeClientQuotasResponse,
} from '../../protocol/messages/describe-client-quotas.ts';
import { type ApiRow, serial } from '../api-row.ts';
import type { HandlerServices } from '../services.ts';

type Component = DescribeClientQuotasRequest['components'][number];

/** How a part of an entity is asked for (KIP-546): by its name, as the default, or whatever its name. */
const EXACT = 0;
const DEFAULT = 1;
const ANY_NAME = 2;
const ENTITY_TYPES: readonly string[] = ['user', 'client-id', 'ip'];

/** DescribeClientQuotas v0-1: the entities that have all the parts asked for, `strict` without any others. */
export function describeClientQuotasRow(services: HandlerServices): ApiRow {
  return serial({
    request: DescribeClientQuotasRequest,
    response: DescribeClientQuotasResponse,
    handle(_call, request): DescribeClientQuotasResponse {
      checkComponents(request.components);
      const entries: NonNullable<DescribeClientQuotasResponse['entries']>[number][] = [];
      for (const one of services.metadata.image.clientQuotas.values()) {
        if (!matches(one, request)) continue;
        entries.push({
          entity: one.entity,
          values: Array.from(one.values, ([key, value]) => ({ key, value })),
        });
      }
      return { throttleTimeMs: 0, errorCode: Errors.NONE, errorMessage: '', entries };
    },
    failure: (_request, errorCode, errorMessage) => ({
      throttleTimeMs: 0,
      errorCode,
      errorMessage,
      entries: null,
    }),
  });
}

function refuse(message: string, code: ErrorCode = Errors.INVALID_REQUEST): never {
  throw new ProtocolError(code, message);
}

function checkComponents(components: readonly Component[]): void {
  const types = new Set<string>();
  for (const { entityType, matchType, match } of components) {
    if (entityType === '') refuse('An entity type is empty');
    if (types.has(entityType)) refuse(`The filter names ${entityType} twice`);
    types.add(entityType);
    if (!ENTITY_TYPES.includes(entityType)) {
      refuse(
        `There are no quotas for a ${entityType}, only for ${ENTITY_TYPES.join(', ')}`,
        Errors.UNSUPPORTED_VERSION,
      );
    }
    if (matchType < EXACT || matchType > ANY_NAME)
      refuse(`There is no match type ${matchType}, only 0 to 2 (exact, default, any name)`);
    if (matchType === EXACT && match === null) refuse('An exact match needs a name to match');
    if (matchType !== EXACT && match !== null) refuse('Only an exact match may have a name to match');
  }
  if (types.has('ip') && types.size > 1) {
    refuse('A filter for addresses can not be combined with users or client ids');
  }
}

function matches({ entity }: ClientQuotaEntity, request: DescribeClientQuotasRequest): boolean {
  const { components, strict } = request;
  if (strict && entity.length !== components.length) return false;
  return components.every(({ entityType, matchType, match }) => {
    const part = entity.find((one) => one.entityType === entityType);
    if (part === undefined) return false;
    if (matchType === ANY_NAME) return true;
    return part.entityName === (matchType === DEFAULT ? null : match);
  });
}
