import { beforeEach, expect, test } from 'vitest';
import { type ClosablePeer, MemberConnections } from '../../../src/server/member-connections.ts';
import { VirtualTime } from '../coordinator/support.ts';

class FakePeer implements ClosablePeer {
  #listeners: (() => void)[] = [];
  #isClosed = false;

  whenClosed(run: () => void): void {
    if (this.#isClosed) run();
    else this.#listeners.push(run);
  }

  close(): void {
    this.#isClosed = true;
    for (const run of this.#listeners.splice(0)) run();
  }

  get listeners(): number {
    return this.#listeners.length;
  }
}

let time: VirtualTime;
let gone: string[];
let peer: FakePeer;
let other: FakePeer;

const connections = (graceMs: number) =>
  new MemberConnections({
    timers: time,
    graceMs,
    onGone: (group, member) => gone.push(`${group}/${member}`),
  });

beforeEach(() => {
  time = new VirtualTime();
  gone = [];
  peer = new FakePeer();
  other = new FakePeer();
});

test('the members of a connection are gone a grace after its end', () => {
  const tracked = connections(500);
  tracked.spoke(peer, 'g', 'a');
  tracked.spoke(peer, 'h', 'a');
  tracked.spoke(other, 'g', 'b');
  tracked.spoke(peer, 'g', 'a');
  expect(peer.listeners).toBe(1);
  peer.close();
  time.advance(499);
  expect(gone).toEqual([]);
  time.advance(1);
  expect(gone).toEqual(['g/a', 'h/a']);
  time.advance(10_000);
  expect(gone).toHaveLength(2);
});

test('a member that speaks through another connection stays, before or after the end of the first', () => {
  const tracked = connections(500);
  tracked.spoke(peer, 'g', 'a');
  tracked.spoke(peer, 'g', 'b');
  tracked.spoke(other, 'g', 'a');
  peer.close();
  time.advance(400);
  tracked.spoke(other, 'g', 'b');
  time.advance(10_000);
  expect(gone).toEqual([]);
  other.close();
  time.advance(500);
  expect(gone).toEqual(['g/a', 'g/b']);
});

test('who left, or is not known, is not told again', () => {
  const tracked = connections(500);
  tracked.spoke(peer, 'g', 'a');
  tracked.spoke(peer, 'g', 'b');
  tracked.left('g', 'a');
  peer.close();
  tracked.left('g', 'b');
  tracked.left('g', 'nobody');
  time.advance(10_000);
  expect(gone).toEqual([]);
});

test('a member whose answer comes after the end of its connection is gone after the grace as well', () => {
  const tracked = connections(500);
  peer.close();
  tracked.spoke(peer, 'g', 'a');
  time.advance(500);
  expect(gone).toEqual(['g/a']);
});

test('without a grace, and after the end of the node, nobody is told', () => {
  const off = connections(-1);
  off.spoke(peer, 'g', 'a');
  expect(peer.listeners).toBe(0);
  const on = connections(0);
  on.spoke(peer, 'g', 'a');
  on.spoke(other, 'g', 'b');
  peer.close();
  on.close();
  other.close();
  on.spoke(other, 'g', 'b');
  time.advance(10_000);
  expect(gone).toEqual([]);
});

test('of one connection a thousand members are told', () => {
  const tracked = connections(1);
  for (let i = 0; i < 1100; i++) tracked.spoke(peer, 'g', `m${i}`);
  peer.close();
  time.advance(1);
  expect(gone).toHaveLength(1000);
});
