import { array, bool, type Infer, int8, int16, int32, message, string, uuid } from '../schema.ts';

/** From a client: which of its metrics the broker wants (KIP-714). */
export const GetTelemetrySubscriptionsRequest = message(
  { name: 'GetTelemetrySubscriptionsRequest', apiKey: 71, versions: [0, 0], flexible: 0 },
  {
    clientInstanceId: uuid,
  },
);
export type GetTelemetrySubscriptionsRequest = Infer<typeof GetTelemetrySubscriptionsRequest>;

/** What to push, how often and how packed. */
export const GetTelemetrySubscriptionsResponse = message(
  { name: 'GetTelemetrySubscriptionsResponse', apiKey: 71, versions: [0, 0], flexible: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    clientInstanceId: uuid,
    subscriptionId: int32,
    acceptedCompressionTypes: array(int8),
    pushIntervalMs: int32,
    telemetryMaxBytes: int32,
    deltaTemporality: bool,
    requestedMetrics: array(string),
  },
);
export type GetTelemetrySubscriptionsResponse = Infer<typeof GetTelemetrySubscriptionsResponse>;
