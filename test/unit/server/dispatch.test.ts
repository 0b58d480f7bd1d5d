import { expect, test } from 'vitest';
import { int32, message } from '../../../src/protocol/schema.ts';
import { type ApiRow, serial } from '../../../src/server/api-row.ts';
import { Dispatcher } from '../../../src/server/dispatch.ts';
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
