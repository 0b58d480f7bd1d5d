/** Where the text of a setting came from. */
export type Origin =
  | { readonly kind: 'file'; readonly file: string; readonly line: number }
  | { readonly kind: 'override' }
  | { readonly kind: 'profile' }
  | { readonly kind: 'default' };

export interface ConfigErrorDetails {
  readonly setting: string;
  /** The text as given; absent where the setting is missing or secret. */
  readonly value?: string | undefined;
  /** What would be accepted, for people. */
  readonly allowed?: string | undefined;
  readonly origin?: Origin | undefined;
}

/**
 * The node can't start with these settings. The message is one paragraph that names the setting, its value, what is
 * allowed and where it was written.
 */
export class ConfigError extends Error {
  readonly setting: string;
  readonly value: string | undefined;
  readonly allowed: string | undefined;
  readonly file: string | undefined;
  readonly line: number | undefined;
  /** The message without the place, for a client that set this on a running broker. */
  readonly answer: string;

  constructor(problem: string, details: ConfigErrorDetails) {
    const answer = withAllowed(problem, details.allowed);
    super(`${placeOf(details.origin)}${answer}`);
    this.name = 'ConfigError';
    this.setting = details.setting;
    this.value = details.value;
    this.allowed = details.allowed;
    this.answer = answer;
    this.file = details.origin?.kind === 'file' ? details.origin.file : undefined;
    this.line = details.origin?.kind === 'file' ? details.origin.line : undefined;
  }
}

/**
 * A value that a client sent in CreateTopics, AlterConfigs or IncrementalAlterConfigs is refused. `errorName` is the
 * name of the protocol's error code, that of Apache Kafka in the same case; the message is sent to the client.
 */
export class InvalidConfigError extends Error {
  readonly errorName: 'INVALID_CONFIG' | 'INVALID_REQUEST';

  constructor(message: string, errorName: 'INVALID_CONFIG' | 'INVALID_REQUEST' = 'INVALID_CONFIG') {
    super(message);
    this.name = 'InvalidConfigError';
    this.errorName = errorName;
  }
}

/** A problem as a sentence, and what would be accepted instead. */
export function withAllowed(problem: string, allowed: string | undefined): string {
  return `${withFullStop(problem)}${allowed === undefined ? '' : ` Allowed: ${allowed}.`}`;
}

function placeOf(origin: Origin | undefined): string {
  if (origin?.kind === 'file') return `${origin.file}:${origin.line}: `;
  if (origin?.kind === 'override') return 'override: ';
  return '';
}

function withFullStop(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
