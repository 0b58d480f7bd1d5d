import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { beforeAll, expect, test } from 'vitest';
import { keepShape } from '../../../src/base/shape.ts';
import { ClassicGroup } from '../../../src/coordinator/group/classic-group.ts';
import { ConsumerGroup } from '../../../src/coordinator/group/consumer-group.ts';
import { type LinkShare, TcpLink } from '../../../src/io/tcp-link.ts';
import type { DecodedRequestHeader } from '../../../src/protocol/headers.ts';
import type { ApiRow } from '../../../src/server/api-row.ts';
import { Call, type CallDesk, type CallOwner } from '../../../src/server/call.ts';
import { Connection, type ConnectionHost } from '../../../src/server/connection.ts';
import type { Frame } from '../../../src/server/frame-splitter.ts';

// What V8 keeps to itself: whether an object has a shape or is a hash table, and a collection that frees all it can.
let hasShape: (object: object) => boolean;
let collect: () => void;

beforeAll(() => {
  setFlagsFromString('--expose-gc');
  setFlagsFromString('--allow-natives-syntax');
  collect = runInNewContext('gc') as () => void;
  hasShape = runInNewContext('(object) => %HasFastProperties(object)') as (object: object) => boolean;
  // It is compiled when it is first called.
  hasShape({});
  setFlagsFromString('--no-allow-natives-syntax');
});

/** The worst moment for a collection: before the last of the instances that V8 looks at, with none of them alive. */
function afterCollection(make: () => object): object {
  for (let i = 0; i < 6; i++) make();
  collect();
  return make();
}

/** A new class of 16 fields, the last of them private. */
function manyFields(isKept: boolean) {
  return class ManyFields {
    static {
      if (isKept) keepShape(() => new ManyFields({}));
    }

    a = 0;
    b = 0;
    c = 0;
    d = 0;
    e = 0;
    f = 0;
    g = 0;
    h = 0;
    i = 0;
    j = 0;
    k = 0;
    l = 0;
    m = 0;
    n = 0;
    o = 0;
    readonly #last: object;

    constructor(last: object) {
      this.#last = last;
    }

    get last(): object {
      return this.#last;
    }
  };
}

test('an idle collection takes the shape of a class that nobody keeps, and of no other', () => {
  const Kept = manyFields(true);
  expect(hasShape(afterCollection(() => new Kept({})))).toBe(true);
  // Should this fail on a later V8, keepShape may have lost its reason.
  if (!process.versions.v8.startsWith('11.')) return;
  const Forgotten = manyFields(false);
  expect(hasShape(afterCollection(() => new Forgotten({})))).toBe(false);
});

test.each<[string, () => object]>([
  [
    'Call',
    () => new Call({} as CallOwner, {} as DecodedRequestHeader, {} as ApiRow, {} as Frame, {} as CallDesk),
  ],
  ['Connection', () => new Connection({} as ConnectionHost, {} as TcpLink, '', 'broker', 0)],
  ['TcpLink', () => new TcpLink({} as LinkShare)],
  ['ClassicGroup', () => new ClassicGroup('', 0)],
  ['ConsumerGroup', () => new ConsumerGroup('')],
])('%s has many fields and keeps its shape', (_name, make) => {
  expect(hasShape(afterCollection(make))).toBe(true);
});
