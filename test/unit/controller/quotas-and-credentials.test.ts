import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { beforeEach, expect, test } from 'vitest';
import { quotaEntityKey } from '../../../src/metadata/image.ts';
import { Errors } from '../../../src/protocol/errors.ts';
import { Cluster } from './support.ts';

let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.start();
});

type Part = readonly [type: string, name: string | null];
const entityOf = (...parts: readonly Part[]) =>
  parts.map(([entityType, entityName]) => ({ entityType, entityName }));
const set = (key: string, value: number) => ({ key, value, remove: false });
const unset = (key: string) => ({ key, value: 0, remove: true });
type Op = ReturnType<typeof set>;

const quota = (entity: ReturnType<typeof entityOf>, ops: readonly Op[], validateOnly = false) =>
  cluster.ok(cluster.controller.alterClientQuotas, { entries: [{ entity, ops }], validateOnly });
const quotasOf = (entity: ReturnType<typeof entityOf>) =>
  Object.fromEntries(cluster.publisher.image.clientQuotas.get(quotaEntityKey(entity))?.values ?? []);

const ann = entityOf(['user', 'ann']);

test('quotas are set, changed and removed one by one', async () => {
  await quota(ann, [set('producer_byte_rate', 1000), set('request_percentage', 12.5)]);
  expect(quotasOf(ann)).toEqual({ producer_byte_rate: 1000, request_percentage: 12.5 });
  await quota(ann, [set('producer_byte_rate', 2000), unset('request_percentage')]);
  expect(quotasOf(ann)).toEqual({ producer_byte_rate: 2000 });
  await quota(ann, [unset('producer_byte_rate')]);
  expect(cluster.publisher.image.clientQuotas.size).toBe(0);
});

test('the order of the parts does not matter, and a default is an entity of its own', async () => {
  const both = entityOf(['user', 'ann'], ['client-id', null]);
  await quota(both, [set('consumer_byte_rate', 5)]);
  await quota([...both].reverse(), [set('consumer_byte_rate', 6)]);
  await quota(entityOf(['client-id', null]), [set('consumer_byte_rate', 7)]);
  expect(quotasOf(both)).toEqual({ consumer_byte_rate: 6 });
  expect(cluster.publisher.image.clientQuotas.size).toBe(2);
});

test('what changes nothing, and validateOnly, writes nothing', async () => {
  await quota(ann, [set('producer_byte_rate', 1000)]);
  const before = cluster.raft.nextOffset;
  await quota(ann, [set('producer_byte_rate', 1000), unset('consumer_byte_rate')]);
  await quota(ann, [set('producer_byte_rate', 3)], true);
  expect(cluster.raft.nextOffset).toBe(before);
});

test('quotas and credentials are there after a restart', async () => {
  await quota(ann, [set('producer_byte_rate', 1000)]);
  await credentials([], [upsertion('bob')]);
  await cluster.restart();
  expect(quotasOf(ann)).toEqual({ producer_byte_rate: 1000 });
  expect([...cluster.publisher.image.scramCredentials.keys()]).toEqual(['1:bob']);
});

test.each([
  [[], [set('producer_byte_rate', 1)], /empty/],
  [entityOf(['group', 'g']), [set('producer_byte_rate', 1)], /no quotas for a group/],
  [entityOf(['user', '']), [set('producer_byte_rate', 1)], /The user has no name/],
  [entityOf(['user', 'a'], ['user', 'b']), [set('producer_byte_rate', 1)], /more than one user/],
  [
    entityOf(['ip', '10.0.0.1'], ['user', 'a']),
    [set('connection_creation_rate', 1)],
    /An ip has quotas of its own/,
  ],
  [entityOf(['ip', '10.0.0.256']), [set('connection_creation_rate', 1)], /10\.0\.0\.256 is no address/],
  [entityOf(['ip', 'a.host']), [set('connection_creation_rate', 1)], /names of hosts are not resolved/],
  [entityOf(['ip', '::1']), [set('connection_creation_rate', 2 ** 31)], /rate=2147483648: .* 32 bits/],
  [
    entityOf(['ip', null]),
    [set('producer_byte_rate', 1)],
    /no quota producer_byte_rate here, only connection_creation_rate/,
  ],
  [ann, [set('connection_creation_rate', 1)], /no quota connection_creation_rate here/],
  [ann, [set('producer_byte_rate', 0)], /producer_byte_rate=0: .* above 0/],
  [ann, [set('producer_byte_rate', Number.NaN)], /producer_byte_rate=NaN: .* above 0/],
  [ann, [set('producer_byte_rate', 1.5)], /producer_byte_rate=1\.5: .* whole number/],
  [ann, [set('producer_byte_rate', 2 ** 64)], /64 bits/],
  [ann, [set('producer_byte_rate', 1), set('producer_byte_rate', 2)], /more than once/],
])('the quota of %j as %j is refused and changes nothing', async (entity, ops, errorMessage) => {
  const before = cluster.raft.nextOffset;
  const { entries } = await quota(entity, ops);
  expect(entries).toMatchObject([{ entity, errorCode: Errors.INVALID_REQUEST }]);
  expect(entries[0]?.errorMessage).toMatch(errorMessage);
  expect(cluster.raft.nextOffset).toBe(before);
});

test('one bad entity does not hold back the others; one named twice is refused as a whole', async () => {
  const ops = [set('producer_byte_rate', 1)];
  const bob = entityOf(['user', 'bob']);
  const { entries } = await cluster.ok(cluster.controller.alterClientQuotas, {
    entries: [
      { entity: ann, ops },
      { entity: bob, ops },
      { entity: bob, ops: [] },
      { entity: entityOf(['user', '']), ops },
    ],
    validateOnly: false,
  });
  expect(entries.map(({ errorCode }) => errorCode)).toEqual([0, 42, 42]);
  expect(quotasOf(ann)).toEqual({ producer_byte_rate: 1 });
  expect(quotasOf(bob)).toEqual({});
});

const saltedPassword = pbkdf2Sync('secret', 'salt', 4096, 32, 'sha256');
const upsertion = (name: string, more: { mechanism?: number; iterations?: number } = {}) => ({
  name,
  mechanism: 1,
  iterations: 4096,
  salt: Buffer.from('salt'),
  saltedPassword,
  ...more,
});
type Upsertion = ReturnType<typeof upsertion>;
const credentials = (
  deletions: readonly { name: string; mechanism: number }[],
  upsertions: readonly Upsertion[],
) => cluster.ok(cluster.controller.alterUserScramCredentials, { deletions, upsertions });

test('a credential is kept as the keys of RFC 5802, never as the salted password', async () => {
  const given = upsertion('bob');
  expect((await credentials([], [given])).results).toEqual([
    { user: 'bob', errorCode: 0, errorMessage: null },
  ]);
  given.salt.fill(0);
  const clientKey = createHmac('sha256', saltedPassword).update('Client Key').digest();
  expect(cluster.publisher.image.scramCredentials.get('1:bob')).toEqual({
    name: 'bob',
    mechanism: 1,
    iterations: 4096,
    salt: Buffer.from('salt'),
    storedKey: createHash('sha256').update(clientKey).digest(),
    serverKey: createHmac('sha256', saltedPassword).update('Server Key').digest(),
  });
  expect(Buffer.from(cluster.controller.image.scramCredentials.get('1:bob')?.salt ?? []).toString()).toBe(
    'salt',
  );
});

test('a credential is removed by its mechanism', async () => {
  await credentials([], [upsertion('bob')]);
  await credentials([], [upsertion('bob', { mechanism: 2, iterations: 16_384 })]);
  expect((await credentials([{ name: 'bob', mechanism: 1 }], [])).results[0]?.errorCode).toBe(0);
  expect([...cluster.publisher.image.scramCredentials.keys()]).toEqual(['2:bob']);
});

test.each([
  [upsertion('bob', { iterations: 4095 }), Errors.UNACCEPTABLE_CREDENTIAL, /^4095 .* 4096 /],
  [upsertion('bob', { iterations: 16_385 }), Errors.UNACCEPTABLE_CREDENTIAL, /^16385 .* 16384 /],
  [upsertion(''), Errors.UNACCEPTABLE_CREDENTIAL, /needs a name/],
  [upsertion('bob', { mechanism: 3 }), Errors.UNSUPPORTED_SASL_MECHANISM, /mechanism 3 is unknown/],
])('%j is refused with %i', async (one, errorCode, errorMessage) => {
  const before = cluster.raft.nextOffset;
  expect((await credentials([], [one])).results).toEqual([
    { user: one.name, errorCode, errorMessage: expect.stringMatching(errorMessage) },
  ]);
  expect(cluster.raft.nextOffset).toBe(before);
});

test('a credential that is not there can not be removed, and no user can be named twice', async () => {
  const { results } = await credentials(
    [
      { name: 'nobody', mechanism: 1 },
      { name: 'bob', mechanism: 1 },
    ],
    [upsertion('bob'), upsertion('carol')],
  );
  expect(results.map(({ user, errorCode }) => [user, errorCode])).toEqual([
    ['nobody', Errors.RESOURCE_NOT_FOUND],
    ['bob', Errors.DUPLICATE_RESOURCE],
    ['carol', 0],
  ]);
  expect([...cluster.publisher.image.scramCredentials.keys()]).toEqual(['1:carol']);
});

test('a metadata.version before 3.5-IV2 knows no SCRAM', async () => {
  cluster = await Cluster.start({}, { metadataVersion: 10 });
  const { results } = await credentials([], [upsertion('bob')]);
  expect(results).toMatchObject([{ user: 'bob', errorCode: Errors.UNSUPPORTED_VERSION }]);
});
