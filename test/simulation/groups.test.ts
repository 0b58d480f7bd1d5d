import { afterEach, describe, expect, test, vi } from 'vitest';

/** Every third runs twice: a seed is the same run every time. */
const SEEDS = Number(process.env['SIMULATION_SEEDS'] ?? 6);
/** A fault that is put in on purpose must be noticed within so many seeds. */
const CANARY_SEEDS = 40;

const offsetHandlers = '../../src/coordinator/group/offset-handlers.ts';
const consumerCommit = '../../src/coordinator/group/consumer-commit.ts';
const reconcile = '../../src/coordinator/group/reconcile.ts';
const memberHandlers = '../../src/coordinator/group/member-handlers.ts';
const consumerGroups = '../../src/coordinator/group/consumer-groups.ts';
const migration = '../../src/coordinator/group/migration.ts';
const groupShard = '../../src/coordinator/group/group-shard.ts';

async function simulation() {
  vi.resetModules();
  return import('./group-simulation.ts');
}

/** Begins with a seed that is known to notice it, as long as nobody changes what seeds stand for. */
async function noticedBy(
  first: number,
  canary: { readonly logForgets?: boolean; readonly isMixed?: boolean } = {},
): Promise<number | undefined> {
  const { simulateGroup } = await simulation();
  for (let seed = first; seed < first + CANARY_SEEDS; seed++) {
    try {
      await simulateGroup({ seed, ...canary });
    } catch (error) {
      expect(String(error)).toContain(`seed ${seed} at`);
      return seed;
    }
  }
  return undefined;
}

test(`groups hold what they promise through crashes, in ${SEEDS} seeds`, async () => {
  const { simulateGroup } = await simulation();
  for (let seed = 1; seed <= SEEDS; seed++) {
    const first = await simulateGroup({ seed });
    if (seed % 3 === 0) expect(await simulateGroup({ seed })).toEqual(first);
  }
}, 120_000);

test(`groups of both protocols do so too, in ${SEEDS / 2} seeds`, async () => {
  const { simulateGroup } = await simulation();
  for (let seed = 1; seed <= SEEDS / 2; seed++) {
    const first = await simulateGroup({ seed, isMixed: true });
    if (seed % 3 === 0) expect(await simulateGroup({ seed, isMixed: true })).toEqual(first);
  }
}, 120_000);

describe('it is noticed that', () => {
  afterEach(() => {
    vi.doUnmock(offsetHandlers);
    vi.doUnmock(memberHandlers);
    vi.doUnmock(consumerCommit);
    vi.doUnmock(reconcile);
    vi.doUnmock(consumerGroups);
    vi.doUnmock(groupShard);
    vi.doUnmock(migration);
  });

  test('the log forgets what it acknowledged', async () => {
    expect(await noticedBy(2, { logForgets: true })).toBeDefined();
  });

  test('members of an old generation may commit', async () => {
    vi.doMock(offsetHandlers, async (original) => ({
      ...(await original<typeof import('../../src/coordinator/group/offset-handlers.ts')>()),
      checkCommit: () => undefined,
    }));
    expect(await noticedBy(3)).toBeDefined();
  });

  test('members of consumer groups may commit for what they have lost', async () => {
    vi.doMock(consumerCommit, async (original) => ({
      ...(await original<typeof import('../../src/coordinator/group/consumer-commit.ts')>()),
      checkConsumerCommit: () => undefined,
    }));
    expect(await noticedBy(1, { isMixed: true })).toBeDefined();
  });

  test('partitions are given that somebody has not let go of', async () => {
    vi.doMock(reconcile, async (original) => {
      const real = await original<typeof import('../../src/coordinator/group/reconcile.ts')>();
      type Given = Parameters<typeof real.reconcile>;
      const careless = (member: Given[0], input: Given[1]) =>
        real.reconcile(member, { ...input, isOwned: () => false });
      return { ...real, reconcile: careless };
    });
    expect(await noticedBy(1, { isMixed: true })).toBeDefined();
  });

  test('members are told of no rebalance', async () => {
    vi.doMock(memberHandlers, async (original) => {
      const real = await original<typeof import('../../src/coordinator/group/member-handlers.ts')>();
      class Deaf extends real.MemberHandlers {
        override heartbeat(...given: Parameters<InstanceType<typeof real.MemberHandlers>['heartbeat']>) {
          super.heartbeat(...given);
          return 0 as const;
        }
      }
      return { ...real, MemberHandlers: Deaf };
    });
    expect(await noticedBy(1)).toBeDefined();
  });

  test.each([
    ['disabled', 1],
    ['bidirectional', 19],
  ] as const)('groups always turn as %s lets them', async (policy, first) => {
    vi.doMock(migration, async (original) => {
      const real = await original<typeof import('../../src/coordinator/group/migration.ts')>();
      class Wilful extends real.Migration {
        constructor(options: ConstructorParameters<typeof real.Migration>[0]) {
          super({ ...options, config: { ...options.config, consumerMigrationPolicy: policy } });
        }
      }
      return { ...real, Migration: Wilful };
    });
    expect(await noticedBy(first, { isMixed: true })).toBeDefined();
  });

  test('groups hear of no change of their topics', async () => {
    vi.doMock(consumerGroups, async (original) => {
      const real = await original<typeof import('../../src/coordinator/group/consumer-groups.ts')>();
      class Deaf extends real.ConsumerGroups {
        override topicsChanged(): void {
          // It looks again when it is loaded.
        }
      }
      return { ...real, ConsumerGroups: Deaf };
    });
    expect(await noticedBy(3, { isMixed: true })).toBeDefined();
  });

  test('offsets expire in topics that members consume', async () => {
    vi.doMock(offsetHandlers, async (original) => {
      const real = await original<typeof import('../../src/coordinator/group/offset-handlers.ts')>();
      class Hasty extends real.OffsetHandlers {
        override expire(...[group, into]: Parameters<InstanceType<typeof real.OffsetHandlers>['expire']>) {
          const unwanted = {
            groupId: group.groupId,
            isSubscribedTo: () => false,
            expiryBaseMs: ({ commitTimestampMs }: { readonly commitTimestampMs: number }) =>
              commitTimestampMs,
          };
          return super.expire(unwanted, into);
        }
      }
      return { ...real, OffsetHandlers: Hasty };
    });
    expect(await noticedBy(32)).toBeDefined();
  });

  test('offsets never expire', async () => {
    vi.doMock(offsetHandlers, async (original) => {
      const real = await original<typeof import('../../src/coordinator/group/offset-handlers.ts')>();
      class Keeping extends real.OffsetHandlers {
        override expire() {
          return false;
        }
      }
      return { ...real, OffsetHandlers: Keeping };
    });
    expect(await noticedBy(1)).toBeDefined();
  });

  test('offsets outlive their topics', async () => {
    vi.doMock(offsetHandlers, async (original) => {
      const real = await original<typeof import('../../src/coordinator/group/offset-handlers.ts')>();
      class Keeping extends real.OffsetHandlers {
        override topicsDeleted() {
          return [];
        }
      }
      return { ...real, OffsetHandlers: Keeping };
    });
    expect(await noticedBy(3)).toBeDefined();
  });

  test('anybody commits in a group with members', async () => {
    vi.doMock(offsetHandlers, async (original) => {
      const real = await original<typeof import('../../src/coordinator/group/offset-handlers.ts')>();
      type Given = Parameters<typeof real.checkCommit>;
      const careless = (group: Given[0], request: Given[1]) => {
        if (request.generationIdOrMemberEpoch >= 0) real.checkCommit(group, request);
      };
      return { ...real, checkCommit: careless };
    });
    expect(await noticedBy(7)).toBeDefined();
  });

  test('a group with members is deleted', async () => {
    vi.doMock(groupShard, async (original) => {
      const real = await original<typeof import('../../src/coordinator/group/group-shard.ts')>();
      class Careless extends real.GroupShard {
        override deleteGroups(...given: Parameters<InstanceType<typeof real.GroupShard>['deleteGroups']>) {
          const { records, response } = super.deleteGroups(...given);
          return { records, response: response.map((one) => ({ ...one, errorCode: 0 as const })) };
        }
      }
      return { ...real, GroupShard: Careless };
    });
    expect(await noticedBy(3)).toBeDefined();
  });
});
