import { type ClientQuotaEntity, quotaEntityKey } from '../metadata/image.ts';
import { type MetadataRecord, record } from '../metadata/records.ts';
import { Errors, ProtocolError } from '../protocol/errors.ts';
import type {
  AlterClientQuotasRequest,
  AlterClientQuotasResponse,
} from '../protocol/messages/alter-client-quotas.ts';
import { apiErrorOf, type ControllerResult, checkRecordCount } from './result.ts';
import type { ControllerState } from './state.ts';

type Entry = AlterClientQuotasRequest['entries'][number];
type Entity = Entry['entity'];
type NumberKind = 'double' | 'int' | 'long';

const LARGEST = { int: 2 ** 31 - 1, long: 2 ** 63 } as const;
const FRACTION_TOLERATED = 1e-6;

const CLIENT_QUOTAS: ReadonlyMap<string, NumberKind> = new Map([
  ['producer_byte_rate', 'long'],
  ['consumer_byte_rate', 'long'],
  ['request_percentage', 'double'],
  ['controller_mutation_rate', 'double'],
]);
const IP_QUOTAS: ReadonlyMap<string, NumberKind> = new Map([['connection_creation_rate', 'int']]);

function invalid(message: string): never {
  throw new ProtocolError(Errors.INVALID_REQUEST, message);
}

/**
 * Quotas of users, client ids and addresses (KIP-546), kept in ClientQuotaRecords; nothing enforces them yet. An entity
 * that the request names twice is refused as a whole.
 */
export function alterClientQuotas(
  state: ControllerState,
  request: AlterClientQuotasRequest,
): ControllerResult<AlterClientQuotasResponse> {
  const byEntity = new Map<string, Entry[]>();
  for (const entry of request.entries) {
    const key = quotaEntityKey(entry.entity);
    const same = byEntity.get(key);
    if (same === undefined) byEntity.set(key, [entry]);
    else same.push(entry);
  }
  const records: MetadataRecord[] = [];
  const entries: AlterClientQuotasResponse['entries'][number][] = [];
  for (const [key, [entry, ...others]] of byEntity) {
    const error = apiErrorOf(() => {
      if (others.length > 0)
        invalid(`The entity ${key} stands in the request twice; nothing of it is changed`);
      const current = state.image.clientQuotas.get(key);
      for (const one of alteration(entry!, current)) records.push(one);
    });
    entries.push({ errorCode: error.code, errorMessage: error.message, entity: entry!.entity });
  }
  checkRecordCount(records.length);
  return { records: request.validateOnly ? [] : records, response: { throttleTimeMs: 0, entries } };
}

function alteration({ entity, ops }: Entry, current: ClientQuotaEntity | undefined): MetadataRecord[] {
  if (new Set(ops.map(({ key }) => key)).size < ops.length) invalid('A quota key is named more than once');
  const known = quotasOf(entity);
  const records: MetadataRecord[] = [];
  for (const { key, value, remove } of ops) {
    if (remove) {
      if (current?.values.has(key)) records.push(record('ClientQuotaRecord', 0, { entity, key, remove }));
      continue;
    }
    checkValue(known, key, value);
    if (current?.values.get(key) === value) continue;
    records.push(record('ClientQuotaRecord', 0, { entity, key, value, remove }));
  }
  return records;
}

/** The quotas that an entity may have, by name. Throws INVALID_REQUEST where there can't be such an entity. */
function quotasOf(entity: Entity): ReadonlyMap<string, NumberKind> {
  if (entity.length === 0) invalid('An entity needs a user, a client-id or an ip; this one is empty');
  const names = new Map<string, string | null>();
  for (const { entityType, entityName } of entity) {
    if (names.has(entityType)) invalid(`The entity has more than one ${entityType}`);
    if (!['user', 'client-id', 'ip'].includes(entityType)) {
      invalid(`There are no quotas for a ${entityType}, only for user, client-id and ip`);
    }
    if (entityName === '') invalid(`The ${entityType} has no name; null means the default`);
    names.set(entityType, entityName);
  }
  const ip = names.get('ip');
  if (ip === undefined) return CLIENT_QUOTAS;
  if (names.size > 1) invalid('An ip has quotas of its own only: leave user and client-id out');
  if (ip !== null && !isAddress(ip)) {
    invalid(`${ip} is no address, and names of hosts are not resolved here`);
  }
  return IP_QUOTAS;
}

function checkValue(known: ReadonlyMap<string, NumberKind>, key: string, value: number): void {
  const kind = known.get(key);
  if (kind === undefined) invalid(`There is no quota ${key} here, only ${[...known.keys()].join(', ')}`);
  if (!(value > 0)) invalid(`${key}=${value}: a quota is above 0; remove it for no limit`);
  if (kind === 'double') return;
  if (value > LARGEST[kind]) {
    invalid(`${key}=${value}: it does not fit into ${kind === 'int' ? 32 : 64} bits`);
  }
  if (value % 1 > FRACTION_TOLERATED) invalid(`${key}=${value}: this quota is a whole number`);
}

/** Whether `text` is an IPv4 or IPv6 address. */
function isAddress(text: string): boolean {
  const parts = text.split('.');
  if (parts.length === 4) return parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255);
  return text.includes(':') && URL.canParse(`http://[${text}]/`);
}
