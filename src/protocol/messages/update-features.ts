import { array, bool, type Infer, int8, int16, int32, message, string } from '../schema.ts';

/** Feature levels to finalize (KIP-584). */
export const UpdateFeaturesRequest = message(
  { name: 'UpdateFeaturesRequest', apiKey: 57, versions: [0, 2], flexible: 0 },
  {
    timeoutMs: int32.default(60000),
    featureUpdates: array({
      feature: string,
      maxVersionLevel: int16,
      // Replaced by upgradeType.
      allowDowngrade: bool.until(0),
      // 1: upgrade; 2: downgrade without loss; 3: downgrade with loss.
      upgradeType: int8.since(1).default(1),
    }),
    validateOnly: bool.since(1),
  },
);
export type UpdateFeaturesRequest = Infer<typeof UpdateFeaturesRequest>;

export const UpdateFeaturesResponse = message(
  { name: 'UpdateFeaturesResponse', apiKey: 57, versions: [0, 2], flexible: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: string.nullable(),
    results: array({
      feature: string,
      errorCode: int16,
      errorMessage: string.nullable(),
    })
      .until(1)
      .ignorable(),
  },
);
export type UpdateFeaturesResponse = Infer<typeof UpdateFeaturesResponse>;
