import { expect, it } from 'vitest';
import { startBroker } from '../../src/index.ts';
import { defaults } from '../../src/protocol/codec.ts';
import { ApiVersionsRequest, ApiVersionsResponse } from '../../src/protocol/messages/api-versions.ts';
import {
  InitProducerIdRequest,
  InitProducerIdResponse,
} from '../../src/protocol/messages/init-producer-id.ts';
import { frameOf, WireClient } from './wire-client.ts';

const UNRELEASED = InitProducerIdRequest.lastVersion;

async function newestVersion(client: WireClient): Promise<number | undefined> {
  const { apiKeys } = await client.request(
    ApiVersionsRequest,
    ApiVersionsResponse,
    3,
    defaults(ApiVersionsRequest, { clientSoftwareName: 'probe', clientSoftwareVersion: '1' }),
  );
  return apiKeys.find(({ apiKey }) => apiKey === InitProducerIdRequest.apiKey)?.maxVersion;
}

it('a version that Kafka has not released is neither offered nor served', async () => {
  const broker = await startBroker({ memory: true });
  const client = await WireClient.open(broker.bootstrapServers);
  expect(await newestVersion(client)).toBe(UNRELEASED - 1);
  client.write(frameOf(InitProducerIdRequest, UNRELEASED, 1, defaults(InitProducerIdRequest, {})));
  expect(await client.receive()).toBeUndefined();
  await broker.stop();
});

it('unstable.api.versions.enable offers and serves it', async () => {
  const properties = { 'unstable.api.versions.enable': 'true' };
  const broker = await startBroker({ memory: true, properties });
  const client = await WireClient.open(broker.bootstrapServers);
  expect(await newestVersion(client)).toBe(UNRELEASED);
  const request = defaults(InitProducerIdRequest, { transactionalId: null });
  const answer = await client.request(InitProducerIdRequest, InitProducerIdResponse, UNRELEASED, request);
  expect(answer).toMatchObject({ errorCode: 0, producerEpoch: 0, ongoingTxnProducerId: -1n });
  client.close();
  await broker.stop();
});
