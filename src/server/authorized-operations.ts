/**
 * Which operations a caller may do on a resource, as the bit set that Metadata, DescribeCluster and DescribeGroups
 * carry (KIP-430). Without an authorizer everything that the resource knows is allowed, as in Apache Kafka.
 */

/** Codes of KIP-11's operations; a bit set has bit `code` set. */
const READ = 3;
const WRITE = 4;
const CREATE = 5;
const DELETE = 6;
const ALTER = 7;
const DESCRIBE = 8;
const CLUSTER_ACTION = 9;
const DESCRIBE_CONFIGS = 10;
const ALTER_CONFIGS = 11;
const IDEMPOTENT_WRITE = 12;

const bits = (...codes: readonly number[]) => codes.reduce((set, code) => set | (1 << code), 0);

/** What stands in a response whose request did not ask for the operations. */
export const OPERATIONS_NOT_ASKED = -0x8000_0000;

export const TOPIC_OPERATIONS = bits(
  READ,
  WRITE,
  CREATE,
  DELETE,
  ALTER,
  DESCRIBE,
  DESCRIBE_CONFIGS,
  ALTER_CONFIGS,
);

export const CLUSTER_OPERATIONS = bits(
  CREATE,
  ALTER,
  DESCRIBE,
  CLUSTER_ACTION,
  DESCRIBE_CONFIGS,
  ALTER_CONFIGS,
  IDEMPOTENT_WRITE,
);

export const GROUP_OPERATIONS = bits(READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS);
