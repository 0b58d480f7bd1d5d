import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startBroker } from '../../src/index.ts';
import { apiName } from '../../src/protocol/api-keys.ts';
import { ApiVersionsRequest, ApiVersionsResponse } from '../../src/protocol/messages/api-versions.ts';
import { WireClient } from './wire-client.ts';

/**
 * The table of APIs in the README is what the broker advertises. `UPDATE_README=1` writes it anew.
 */
const path = join(import.meta.dirname, '../../README.md');
const begin = '<!-- apis: made by UPDATE_README=1 npx vitest run test/integration/readme.test.ts -->\n';
const end = '<!-- /apis -->';

test('the README names every API and version that is advertised', async () => {
  await using broker = await startBroker({ memory: true });
  const client = await WireClient.open(broker.bootstrapServers);
  const request = { clientSoftwareName: '', clientSoftwareVersion: '', clusterId: null, nodeId: -1 };
  const { apiKeys } = await client.request(ApiVersionsRequest, ApiVersionsResponse, 0, request);
  client.close();
  const rows = [...apiKeys]
    .sort((a, b) => a.apiKey - b.apiKey)
    .map(({ apiKey, minVersion, maxVersion }) => {
      const versions = minVersion === maxVersion ? `${minVersion}` : `${minVersion}–${maxVersion}`;
      return `| ${apiKey} | ${apiName(apiKey)} | ${versions} |`;
    });
  const table = ['| key | API | versions |', '| --- | --- | --- |', ...rows, ''].join('\n');
  const text = readFileSync(path, 'utf8');
  const from = text.indexOf(begin) + begin.length;
  const to = text.indexOf(end);
  if (process.env['UPDATE_README'] === '1') {
    writeFileSync(path, `${text.slice(0, from)}${table}${text.slice(to)}`);
  } else {
    expect(text.slice(from, to)).toBe(table);
  }
});
