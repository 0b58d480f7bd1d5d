import { createHash, createHmac } from 'node:crypto';
import { metadataVersionAllows } from '../metadata/features.ts';
import { type MetadataRecord, record } from '../metadata/records.ts';
import { Errors, ProtocolError } from '../protocol/errors.ts';
import type {
  AlterUserScramCredentialsRequest,
  AlterUserScramCredentialsResponse,
} from '../protocol/messages/alter-user-scram-credentials.ts';
import { type ApiError, apiErrorOf, type ControllerResult, checkRecordCount } from './result.ts';
import type { ControllerState } from './state.ts';

type Deletion = AlterUserScramCredentialsRequest['deletions'][number];
type Upsertion = AlterUserScramCredentialsRequest['upsertions'][number];

const ITERATIONS_MIN = 4096;
const ITERATIONS_MAX = 16_384;

/** The hash of a mechanism: 1 SCRAM-SHA-256, 2 SCRAM-SHA-512. */
const HASHES: ReadonlyMap<number, string> = new Map([
  [1, 'sha256'],
  [2, 'sha512'],
]);

function refuse(code: (typeof Errors)[keyof typeof Errors], message: string): never {
  throw new ProtocolError(code, message);
}

/**
 * SCRAM credentials of users (KIP-554), kept in UserScramCredentialRecords with the keys of RFC 5802 instead of the salted
 * password. One answer for each user; one that is named twice is refused and keeps what it has.
 */
export function alterUserScramCredentials(
  state: ControllerState,
  request: AlterUserScramCredentialsRequest,
): ControllerResult<AlterUserScramCredentialsResponse> {
  const counts = new Map<string, number>();
  for (const { name } of [...request.deletions, ...request.upsertions]) {
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const records: MetadataRecord[] = [];
  const errors = new Map<string, ApiError>();
  const decide = (name: string, change: () => MetadataRecord): void => {
    const error = apiErrorOf(() => {
      if ((counts.get(name) ?? 0) > 1) {
        refuse(Errors.DUPLICATE_RESOURCE, 'The user is named twice; change one credential in a request');
      }
      if (!metadataVersionAllows.scram(state.image.metadataVersion)) {
        refuse(Errors.UNSUPPORTED_VERSION, 'metadata.version is too low for SCRAM; upgrade it first');
      }
      records.push(change());
    });
    errors.set(name, error);
  };
  for (const deletion of request.deletions) decide(deletion.name, () => removal(state, deletion));
  for (const upsertion of request.upsertions) decide(upsertion.name, () => credential(upsertion));
  checkRecordCount(records.length);
  const results = Array.from(errors, ([user, { code, message }]) => ({
    user,
    errorCode: code,
    errorMessage: message,
  }));
  return { records, response: { throttleTimeMs: 0, results } };
}

function removal(state: ControllerState, { name, mechanism }: Deletion): MetadataRecord {
  hashOf(name, mechanism);
  if (!state.image.scramCredentials.has(`${mechanism}:${name}`)) {
    refuse(Errors.RESOURCE_NOT_FOUND, 'The user has no such credential');
  }
  return record('RemoveUserScramCredentialRecord', 0, { name, mechanism });
}

function credential({ name, mechanism, iterations, salt, saltedPassword }: Upsertion): MetadataRecord {
  const hash = hashOf(name, mechanism);
  if (iterations < ITERATIONS_MIN)
    refuse(
      Errors.UNACCEPTABLE_CREDENTIAL,
      `${iterations} iterations, but at least ${ITERATIONS_MIN} are needed`,
    );
  if (iterations > ITERATIONS_MAX)
    refuse(
      Errors.UNACCEPTABLE_CREDENTIAL,
      `${iterations} iterations, but at most ${ITERATIONS_MAX} are allowed`,
    );
  const keyed = (text: string) => createHmac(hash, saltedPassword).update(text).digest();
  return record('UserScramCredentialRecord', 0, {
    name,
    mechanism,
    // A view of the request would keep its bytes, or change with them.
    salt: Uint8Array.prototype.slice.call(salt),
    storedKey: createHash(hash).update(keyed('Client Key')).digest(),
    serverKey: keyed('Server Key'),
    iterations,
  });
}

function hashOf(name: string, mechanism: number): string {
  if (name === '') refuse(Errors.UNACCEPTABLE_CREDENTIAL, 'A user needs a name');
  return (
    HASHES.get(mechanism) ??
    refuse(
      Errors.UNSUPPORTED_SASL_MECHANISM,
      `The mechanism ${mechanism} is unknown; 1 is SCRAM-SHA-256, 2 is SCRAM-SHA-512`,
    )
  );
}
