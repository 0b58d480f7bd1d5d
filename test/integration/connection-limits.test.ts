import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Broker, startBroker } from '../../src/index.ts';
import { defaults } from '../../src/protocol/codec.ts';
import { ApiVersionsRequest, ApiVersionsResponse } from '../../src/protocol/messages/api-versions.ts';
import {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse,
} from '../../src/protocol/messages/incremental-alter-configs.ts';
import { WireClient } from './wire-client.ts';

const BROKER_RESOURCE = 4;

describe('limits of connections', () => {
  let broker: Broker;
  let first: WireClient;

  beforeEach(async () => {
    broker = await startBroker({ properties: { 'max.connections': 1 } });
    first = await WireClient.open(broker.bootstrapServers);
  });
  afterEach(async () => {
    first.close();
    await broker.stop();
  });

  const ask = (client: WireClient) =>
    client.request(ApiVersionsRequest, ApiVersionsResponse, 0, defaults(ApiVersionsRequest, {}));

  it('keep the next client waiting until one leaves', async () => {
    await ask(first);
    const second = await WireClient.open(broker.bootstrapServers);
    const answer = ask(second);
    await ask(first);
    first.close();
    expect((await answer).errorCode).toBe(0);
    second.close();
  });

  it('are raised for those who wait, as soon as the setting is', async () => {
    await ask(first);
    const second = await WireClient.open(broker.bootstrapServers);
    const answer = ask(second);
    const configs = [{ name: 'max.connections', configOperation: 0, value: '2' }];
    const changed = await first.request(
      IncrementalAlterConfigsRequest,
      IncrementalAlterConfigsResponse,
      1,
      defaults(IncrementalAlterConfigsRequest, {
        resources: [{ resourceType: BROKER_RESOURCE, resourceName: '', configs }],
      }),
    );
    expect(changed.responses[0]!.errorCode).toBe(0);
    expect((await answer).errorCode).toBe(0);
    await ask(first);
    second.close();
  });
});
