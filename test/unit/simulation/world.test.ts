import { expect, test } from 'vitest';
import type { Link, Ports } from '../../../src/base/ports.ts';
import { FrameClient } from '../../simulation/client.ts';
import { SeededRandom } from '../../simulation/random.ts';
import { runScript, SimNode } from '../../simulation/sim-node.ts';
import { World } from '../../simulation/world.ts';
import { Collector, pattern } from '../io/link-contract.ts';

const nothing = () => {};

/** A small server as a node might be: answers frames with themselves once they are in a file and synced. */
async function startEcho({ network, storage, timers, turn, clock }: Ports) {
  storage.makeDir('/data');
  const file = storage.open('/data/log', 'create');
  await file.sync();
  await storage.syncDir('/data');
  await storage.syncDir('/');
  let position = file.size();
  let beats = 0;
  const beat = () => {
    beats++;
    timers.after(100, beat);
  };
  beat();
  const listener = await network.listen({ host: 'n1', port: 9092 }, (link) => {
    let rest = Buffer.alloc(0);
    link.onBytes = (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
        const frame = Buffer.from(rest.subarray(0, 4 + rest.readInt32BE(0)));
        rest = rest.subarray(frame.length);
        turn.later(async () => {
          position += file.write([frame], position);
          await file.sync();
          const head = frame.subarray(0, 4);
          // The correlation id leads the answer; behind it the whole request.
          const size = Buffer.alloc(4);
          size.writeInt32BE(frame.length, 0);
          expect(head.readInt32BE(0)).toBe(frame.length - 4);
          link.send([size, frame.subarray(8, 12), frame.subarray(4)]);
        });
      }
    };
  });
  return {
    beats: () => beats,
    startedMs: clock.monotonicMs(),
    stop: async () => {
      await listener.close();
      file.close();
    },
  };
}

function request(correlationId: number, body: Uint8Array): Buffer {
  const header = Buffer.alloc(8);
  header.writeInt32BE(correlationId, 4);
  return Buffer.concat([header, body]);
}

async function scenario(seed: number, ms = 60_000) {
  const world = new World({ seed });
  const node = new SimNode(world, world.machine('n1'), startEcho);
  await node.start();
  world.network.faults.lostConnection = 0.01;
  world.network.faults.slowPacket = 0.05;
  let answers = 0;
  const scripts = [1, 2, 3].map((id) => {
    const { network } = world.machine(`c${id}`).boot().ports;
    const random = world.random.fork();
    let client: FrameClient | undefined;
    let correlation = 0;
    const ask = async () => {
      try {
        if (client === undefined || client.closed) {
          client = await FrameClient.connect(network, { host: 'n1', port: 9092 });
        }
        const body = pattern(random.below(3000), id);
        const answer = await client.request(request(++correlation, body));
        expect(answer.subarray(12).equals(body)).toBe(true);
        answers++;
      } catch (error) {
        if (error instanceof Error && error.name === 'AssertionError') throw error;
      }
    };
    const pause = { weight: 1, run: () => world.sleep(random.below(300)) };
    return runScript(world, random, [{ weight: 5, run: ask }, pause], { untilMs: ms, pauseMs: [0, 50] });
  });
  for (let at = 5000; at < ms; at += 5000) {
    world.after(at, () => {
      node.crash(world.random.pick(['power', 'kill'] as const));
      node.startLater(world.random.below(500), (error) => {
        throw error;
      });
    });
  }
  await world.settle(Promise.all(scripts));
  return { hash: world.trace.hash(), answers, starts: node.starts, crashes: node.crashes };
}

test('a seed gives the same history twice, another seed another one', async () => {
  const first = await scenario(11);
  expect(await scenario(11)).toEqual(first);
  const other = await scenario(12);
  expect(other.hash).not.toBe(first.hash);
  expect(first.answers).toBeGreaterThan(500);
  expect(first.starts).toBe(12);
});

test('promises go on at the instant of their event, however long the chain', async () => {
  const world = new World({ seed: 1 });
  const order: string[] = [];
  world.after(5, async () => {
    for (let i = 0; i < 50; i++) await undefined;
    order.push(`chain ${world.nowMs}`);
  });
  world.after(5, () => order.push('next event'));
  await world.run(10);
  expect(order).toEqual(['chain 5', 'next event']);
  expect(world.nowMs).toBe(10);
});

test('what throws in an event ends the run with it, and waiting in vain says the seed', async () => {
  const world = new World({ seed: 77 });
  world.after(1, () => {
    throw new Error('a bug');
  });
  await expect(world.run(10)).rejects.toThrow('a bug');
  await expect(world.settle(new Promise(nothing), 100)).rejects.toThrow('seed 77');
});

test('a dead process does nothing more: no timer, no turn, no answer of the disk', async () => {
  const world = new World({ seed: 3 });
  const machine = world.machine('n1');
  const { ports } = machine.boot();
  const file = ports.storage.open('/a', 'create');
  let ran = 0;
  const count = () => void ran++;
  ports.timers.after(10, count);
  ports.turn.later(count);
  ports.turn.atEnd(count);
  file.sync().then(count, count);
  machine.crash('kill');
  await world.run(1000);
  expect(ran).toBe(0);
  expect(() => file.write([Buffer.alloc(1)], 0)).toThrow('dead');
  expect(() => ports.storage.open('/b', 'create')).toThrow('dead');
  expect(machine.boot().ports.storage.sizeOf('/a')).toBe(0);
});

test('timers fire in order, not early, not when cancelled; the turn runs promises before its end', async () => {
  const world = new World({ seed: 4 });
  const { timers, turn, clock } = world.machine('n1').boot().ports;
  const order: string[] = [];
  timers.after(20, () => order.push('20'));
  timers.after(10, () => order.push(`10 ${clock.monotonicMs() >= 10}`));
  timers.after(15, () => order.push('never')).cancel();
  timers.after(Number.POSITIVE_INFINITY, () => order.push('never'));
  turn.atEnd(() => order.push('end'));
  turn.later(() => {
    Promise.resolve().then(() => order.push('promise'));
    turn.later(() => order.push('next tick'));
  });
  await world.run(100_000);
  expect(order).toEqual(['promise', 'end', 'next tick', '10 true', '20']);
});

async function connected(world: World): Promise<{ near: Link; far: Link }> {
  const far: Link[] = [];
  const { network } = world.machine('n1').boot().ports;
  await world.settle(network.listen({ host: 'n1', port: 1 }, (link) => far.push(link)));
  const near = await world.settle(world.machine('n2').boot().ports.network.dial({ host: 'n1', port: 1 }));
  return { near, far: far[0] as Link };
}

test('a partition holds bytes back; healed in time they arrive, otherwise the sender gives up', async () => {
  const world = new World({ seed: 5 });
  const { near, far } = await connected(world);
  const atFar = new Collector(far);
  const atNear = new Collector(near);
  world.network.partition(['n1'], ['n2']);
  near.send([pattern(1000, 1)]);
  await world.run(1000);
  expect(atFar.bytes).toBe(0);
  world.network.heal();
  await world.run(1000);
  expect(atFar.all().equals(pattern(1000, 1))).toBe(true);
  world.network.partition(['n1'], ['n2']);
  near.send([pattern(1000, 1)]);
  await world.run(60_000);
  expect(atNear.reason).toMatchObject({ code: 'ETIMEDOUT' });
  expect([atNear.closed, atFar.closed]).toEqual([1, 0]);
  const { network } = world.machine('n3').boot().ports;
  world.network.block('n3', 'n1');
  await expect(world.settle(network.dial({ host: 'n1', port: 1 }))).rejects.toMatchObject({
    code: 'ETIMEDOUT',
  });
});

test('a machine that loses its power is noticed late, a killed process at once', async () => {
  for (const [how, withinMs] of [
    ['kill', 5],
    ['power', 6000],
  ] as const) {
    const world = new World({ seed: 6 });
    const { near } = await connected(world);
    const atNear = new Collector(near);
    world.machine('n1').crash(how);
    await world.until(() => atNear.closed > 0, withinMs);
    expect(atNear.reason).toMatchObject({ code: 'ECONNRESET' });
    expect(world.network.connectionCount()).toBe(0);
    const dialled = world.machine('n2').process?.ports.network.dial({ host: 'n1', port: 1 });
    await expect(world.settle(dialled as Promise<Link>)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  }
});

test('lost connections end both sides, and a stream breaks off at any byte', async () => {
  const cuts = new Set<number>();
  for (let seed = 1; seed <= 30; seed++) {
    const world = new World({ seed });
    const { near, far } = await connected(world);
    const atFar = new Collector(far);
    const atNear = new Collector(near);
    world.network.faults = { ...world.network.faults, lostConnection: 0.02, split: 1 };
    const sent = pattern(200_000, seed);
    for (let at = 0; at < sent.length; at += 10_000) {
      near.send([sent.subarray(at, at + 10_000)]);
      await world.run(0.2);
    }
    await world.run(10_000);
    expect(sent.subarray(0, atFar.bytes).equals(atFar.all())).toBe(true);
    expect(atNear.closed).toBe(atFar.closed);
    cuts.add(atFar.bytes);
  }
  expect(cuts.size).toBeGreaterThan(10);
});

test('changing bytes before `sent` has run corrupts them: the canary for buffers given back too early', async () => {
  const world = new World({ seed: 8 });
  const { near, far } = await connected(world);
  const atFar = new Collector(far);
  const pool = world.machine('n2').process?.ports.framePool;
  const frame = pool?.take(2000) as Buffer;
  frame.fill(1);
  near.send([frame]);
  pool?.give(frame);
  await world.run(100);
  expect(atFar.all().every((byte) => byte === 0xdb)).toBe(true);
});

test('the generator is the same everywhere, and reaches its bounds', () => {
  const random = new SeededRandom(42);
  expect([random.word(), random.word(), random.word()]).toEqual(words(42));
  expect(words(42)).not.toEqual(words(43));
  expect(words(2 ** 33)).not.toEqual(words(2 ** 34));
  const seen = new Set(Array.from({ length: 1000 }, () => random.between(3, 6)));
  expect([...seen].sort()).toEqual([3, 4, 5, 6]);
  expect(random.chance(0)).toBe(false);
  expect(random.chance(1)).toBe(true);
});

function words(seed: number): number[] {
  const random = new SeededRandom(seed);
  return [random.word(), random.word(), random.word()];
}
