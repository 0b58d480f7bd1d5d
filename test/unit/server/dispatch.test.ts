import { expect, test } from 'vitest';
import { int32, message } from '../../../src/protocol/schema.ts';
import { type ApiRow, serial } from '../../../src/server/api-row.ts';
import type { Call, CallOwner } from '../../../src/server/call.ts';
import { Dispatcher } from '../../../src/server/dispatch.ts';
import { FrameSlabs, FrameSplitter } from '../../../src/server/frame-splitter.ts';
import { RequestMemory } from '../../../src/server/request-memory.ts';
import { poisonedPool, RecordingLogger } from './fakes.ts';

/** Like some APIs of Kafka: all released, the last version not, and an API of which no version is. */
const rows: readonly ApiRow[] = [
  rowOf(1, [0, 3], false),
  rowOf(2, [0, 3], true),
  rowOf(3, [0, 0], true),
  rowOf(4, [0, 0], false),
];

function rowOf(apiKey: number, versions: readonly [number, number], latestVersionUnstable: boolean): ApiRow {
  const request = message(
    { name: `Api${apiKey}Request`, apiKey, versions, latestVersionUnstable },
    { id: int32 },
  );
  const response = message({ name: `Api${apiKey}Response`, apiKey, versions }, { id: int32 });
  return serial({ request, response, handle: (_call, value) => value, failure: () => undefined });
}

test.each([
  [false, ['Api1 0-3', 'Api2 0-2', 'Api4 0-0']],
  [true, ['Api1 0-3', 'Api2 0-3', 'Api3 0-0', 'Api4 0-0']],
])('with unstableVersions %s', (unstableVersions, served) => {
  const dispatcher = new Dispatcher({
    rows,
    unstableVersions,
    pool: poisonedPool(),
    logger: new RecordingLogger(),
  });
  const found = dispatcher.rowsOf('broker').map((row) => `${row.name} ${row.versionMin}-${row.versionMax}`);
  expect(found).toEqual(served);
});

test('of frames that came together each is read within its own bounds', () => {
  const dispatcher = new Dispatcher({ rows, pool: poisonedPool(), logger: new RecordingLogger() });
  const calls: Call[] = [];
  const splitter = new FrameSplitter(1024, new FrameSlabs(new RequestMemory(poisonedPool())), {
    isReading: true,
    onFrame: (frame) => {
      const call = dispatcher.accept(peer, frame);
      calls.push(call);
      dispatcher.run(call);
    },
    onFrameGranted: () => {},
    onFrameExpired: () => {},
  });
  const header = '0001 0000 00000007 0001 61';
  const frames = [
    '0000 000f',
    header,
    '0000 002a',
    '0000 000d',
    header,
    '0000',
    '0000 000f',
    header,
    '0000 0001',
  ];
  splitter.push(Buffer.from(frames.join('').replaceAll(' ', ''), 'hex'));
  expect(calls.map(({ request }) => request)).toEqual([{ id: 42 }, undefined, { id: 1 }]);
  expect(calls.map(({ outcome, closeReason }) => [outcome, closeReason])).toEqual([
    ['answer', ''],
    ['close', "Api1 v0 can't be read: Api1Request v0: 4 bytes expected, 2 left (at byte 11)"],
    ['answer', ''],
  ]);
});

const peer: CallOwner = {
  id: 'peer',
  listenerName: 'PLAINTEXT',
  listenerKind: 'broker',
  remoteHost: 'there',
  clientSoftwareName: '',
  clientSoftwareVersion: '',
  whenClosed: () => {},
  callOrdered: () => {},
  callSettled: () => {},
};
