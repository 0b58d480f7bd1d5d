import { defaults } from '../../../src/protocol/codec.ts';
import * as alter from '../../../src/protocol/messages/alter-client-quotas.ts';
import * as describe from '../../../src/protocol/messages/describe-client-quotas.ts';
import { WireClient } from '../../integration/wire-client.ts';
import { PATIENCE_MS, until } from './run.ts';

const ENTITY = { entityType: 'client-id', entityName: 'interop-marker' };

/**
 * Waits until the broker acts on all that its controller has decided before: settings, topics, leaders, quotas. Apache Kafka's controller
 * answers before that, by milliseconds or, on a busy machine, seconds.
 *
 * It sets a quota of a client that is not there and waits until the broker shows it, and then removes it likewise. What the controller
 * decides reaches the broker's parts in order, the shown quotas first: when the broker shows the second change, every part of it is
 * done with the first one, and with all that came before. Nothing is left of either.
 */
export async function caughtUp(port: number): Promise<void> {
  const client = await WireClient.open(`127.0.0.1:${port}`);
  try {
    await hasCaughtUp(client);
  } finally {
    client.close();
  }
}

/** The same by a connection that is there already. */
export async function hasCaughtUp(client: WireClient): Promise<void> {
  for (const isSet of [true, false]) {
    await mark(client, isSet);
    await until(
      'the broker to have caught up with its controller',
      async () => ((await isMarked(client)) === isSet ? true : undefined),
      PATIENCE_MS,
      5,
    );
  }
}

async function mark(client: WireClient, isSet: boolean): Promise<void> {
  const ops = [{ key: 'request_percentage', value: 100, remove: !isSet }];
  const body = defaults(alter.AlterClientQuotasRequest, { entries: [{ entity: [ENTITY], ops }] });
  const answer = await client.request(
    alter.AlterClientQuotasRequest,
    alter.AlterClientQuotasResponse,
    1,
    body,
  );
  const [entry] = answer.entries;
  if (entry?.errorCode !== 0) throw new Error(`no marker: ${JSON.stringify(answer)}`);
}

async function isMarked(client: WireClient): Promise<boolean> {
  const components = [{ entityType: ENTITY.entityType, matchType: 0, match: ENTITY.entityName }];
  const answer = await client.request(
    describe.DescribeClientQuotasRequest,
    describe.DescribeClientQuotasResponse,
    1,
    { components, strict: true },
  );
  if (answer.errorCode !== 0) throw new Error(`no marker: ${JSON.stringify(answer)}`);
  return (answer.entries ?? []).length > 0;
}
