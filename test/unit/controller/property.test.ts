import { expect, test } from 'vitest';
import { MetadataImage } from '../../../src/metadata/image.ts';
import { contents, dataBatches, imageOf } from '../metadata/support.ts';
import { DIR } from '../raft/support.ts';
import { Cluster, seeded } from './support.ts';

type Random = ReturnType<typeof seeded>;

const NAMES = ['a', 'b', 'a.b', 'a_b', 'c', 'd-e', '__x'];
const VALUES: readonly (readonly [string, string])[] = [
  ['retention.ms', '5'],
  ['retention.ms', '6'],
  ['cleanup.policy', 'compact'],
  ['segment.bytes', '2097152'],
];

async function step(cluster: Cluster, random: Random): Promise<void> {
  const { controller } = cluster;
  const name = NAMES[random.below(NAMES.length)] as string;
  const [key, value] = VALUES[random.below(VALUES.length)] as readonly [string, string];
  switch (random.below(12)) {
    case 0:
    case 1:
    case 2:
      await cluster.create([cluster.topic(name, 1 + random.below(4), { configs: [{ name: key, value }] })]);
      break;
    case 3:
    case 4:
      await cluster.remove(name);
      break;
    case 5:
      await cluster.ok(controller.createPartitions, {
        topics: [{ name, count: 1 + random.below(8), assignments: null }],
        timeoutMs: 1,
        validateOnly: random.below(4) === 0,
      });
      break;
    case 6:
      await cluster.alter(2, name, [{ name: key, configOperation: random.below(4), value }]);
      break;
    case 7:
      await cluster.alter(4, random.below(2) === 0 ? '' : '1', [
        { name: 'log.cleaner.threads', configOperation: random.below(2), value: '2' },
      ]);
      break;
    case 8:
      await cluster.ok(controller.allocateProducerIds, { brokerId: 1, brokerEpoch: cluster.brokerEpoch });
      break;
    case 9:
      await cluster.ok(controller.brokerHeartbeat, cluster.heartbeat({ wantFence: random.below(2) === 0 }));
      break;
    case 10:
      await cluster.ok(controller.brokerHeartbeat, cluster.heartbeat({ wantShutDown: true }));
      await cluster.world.advance(10_000);
      await cluster.registerAndUnfence();
      break;
    default:
      if (random.below(3) === 0) cluster.log.failNextAppend = new Error('ENOSPC');
      cluster.send(controller.createTopics, {
        topics: [cluster.topic(name)],
        timeoutMs: 1000,
        validateOnly: false,
      });
      await cluster.world.settle();
      cluster.log.failNextAppend = undefined;
      await cluster.world.advance(1000);
      if (random.below(3) === 0) await cluster.restart();
  }
}

test.each(Array.from({ length: 30 }, (_, seed) => seed))(
  'seed %i: the log, its snapshot and a restart give the state that is live',
  async (seed) => {
    const random = seeded(seed);
    const features =
      seed % 2 === 0 ? new Map([['eligible.leader.replicas.version', 1]]) : new Map<string, number>();
    const metadataVersion = seed % 3 === 2 ? 17 : 30;
    const cluster = await Cluster.start(
      {},
      { metadataVersion, features: metadataVersion === 17 ? new Map() : features },
    );
    for (let n = 0; n < 60; n++) await step(cluster, random);
    await cluster.world.advance(2000);

    const live = contents(cluster.controller.image);
    expect(contents(cluster.publisher.image)).toEqual(live);
    const replayed = imageOf(dataBatches(Buffer.concat(cluster.log.batches)));
    expect(contents(replayed)).toEqual(live);

    const again = new MetadataImage();
    for (const one of cluster.controller.image.freeze().records()) again.replay(one, 0);
    expect(contents(again)).toEqual(live);

    const { offset, epoch } = cluster.publisher.image;
    const frozen = cluster.publisher.image.freeze();
    await cluster.world.until(
      cluster.raft.writeSnapshot({ endOffset: offset + 1, epoch }, 0, frozen.records()),
    );
    await cluster.restart();
    expect(contents(cluster.controller.image)).toEqual(live);
    expect(contents(cluster.publisher.image)).toEqual(live);
  },
);

test.each(Array.from({ length: 20 }, (_, seed) => seed))(
  'seed %i: snapshots taken while all goes on, with crashes in their middle, and the log behind them give what the whole log gives',
  async (seed) => {
    const random = seeded(1000 + seed);
    const cluster = await Cluster.start();
    cluster.snapshots = { maxBytesBetween: 300 + random.below(1500), maxBytes: 2000 + random.below(4000) };
    await cluster.restart();
    let snapshots = 0;
    for (let n = 0; n < 80; n++) {
      await step(cluster, random);
      if (random.below(6) > 0) continue;
      // A burst that may begin a snapshot, which the kill then cuts short.
      cluster.send(cluster.controller.createTopics, {
        topics: Array.from({ length: 30 }, (_, i) => cluster.topic(`burst-${n}-${i}`)),
        timeoutMs: 1000,
        validateOnly: false,
      });
      for (let ticks = random.below(12); ticks > 0; ticks--) await cluster.world.tick();
      cluster.world.kill();
      await cluster.restart();
      if (cluster.raft.latestSnapshot !== undefined) snapshots++;
      await cluster.registerAndUnfence();
      await cluster.world.advance(60_000);
    }
    await cluster.world.advance(2000);
    expect(snapshots).toBeGreaterThan(0);
    const live = contents(cluster.controller.image);
    expect(contents(imageOf(dataBatches(Buffer.concat(cluster.log.everything))))).toEqual(live);
    await cluster.restart();
    expect(contents(cluster.publisher.image)).toEqual(live);
    expect(cluster.log.startOffset).toBeGreaterThan(0);
    expect(cluster.world.storage.list(DIR).filter(({ name }) => name.endsWith('.part'))).toEqual([]);
  },
);
