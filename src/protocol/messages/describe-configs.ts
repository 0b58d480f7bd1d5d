import { array, bool, type Infer, int8, int16, int32, message, string } from '../schema.ts';

/** Settings of topics, brokers and other resources (KIP-133). */
export const DescribeConfigsRequest = message(
  { name: 'DescribeConfigsRequest', apiKey: 32, versions: [0, 4], flexible: 4 },
  {
    resources: array({
      resourceType: int8,
      resourceName: string,
      // Null asks for all.
      configurationKeys: array(string).nullable(),
    }),
    includeSynonyms: bool.since(1),
    includeDocumentation: bool.since(3),
  },
);
export type DescribeConfigsRequest = Infer<typeof DescribeConfigsRequest>;

export const DescribeConfigsResponse = message(
  { name: 'DescribeConfigsResponse', apiKey: 32, versions: [0, 4], flexible: 4 },
  {
    throttleTimeMs: int32,
    results: array({
      errorCode: int16,
      errorMessage: string.nullable(),
      resourceType: int8,
      resourceName: string,
      configs: array({
        name: string,
        value: string.nullable(),
        readOnly: bool,
        // Replaced by configSource.
        isDefault: bool.until(0),
        configSource: int8.since(1).default(-1).ignorable(),
        isSensitive: bool,
        synonyms: array({
          name: string,
          value: string.nullable(),
          source: int8,
        })
          .since(1)
          .ignorable(),
        configType: int8.since(3).ignorable(),
        documentation: string.since(3).nullable().ignorable(),
      }),
    }),
  },
);
export type DescribeConfigsResponse = Infer<typeof DescribeConfigsResponse>;
