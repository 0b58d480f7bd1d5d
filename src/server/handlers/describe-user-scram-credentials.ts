import { Errors } from '../../protocol/errors.ts';
import {
  DescribeUserScramCredentialsRequest,
  DescribeUserScramCredentialsResponse,
} from '../../protocol/messages/describe-user-scram-credentials.ts';
import { type ApiRow, serial } from '../api-row.ts';
import type { HandlerServices } from '../services.ts';

type Result = DescribeUserScramCredentialsResponse['results'][number];
type CredentialInfo = Result['credentialInfos'][number];

/** DescribeUserScramCredentials v0 (KIP-554): mechanisms and iterations of users, of all where none is named. */
export function describeUserScramCredentialsRow(services: HandlerServices): ApiRow {
  return serial({
    request: DescribeUserScramCredentialsRequest,
    response: DescribeUserScramCredentialsResponse,
    handle(_call, { users }): DescribeUserScramCredentialsResponse {
      const known = credentialsByUser(services);
      const named = new Set<string>();
      const twice = new Set<string>();
      for (const { name } of users ?? []) (named.has(name) ? twice : named).add(name);
      const asked = named.size === 0 ? known.keys() : named;
      const results = Array.from(asked, (user) => resultOf(user, known.get(user), twice.has(user)));
      return { throttleTimeMs: 0, errorCode: Errors.NONE, errorMessage: '', results };
    },
    failure: (_request, errorCode, errorMessage) => ({
      throttleTimeMs: 0,
      errorCode,
      errorMessage,
      results: [],
    }),
  });
}

function credentialsByUser({ metadata }: HandlerServices): Map<string, CredentialInfo[]> {
  const byUser = new Map<string, CredentialInfo[]>();
  for (const { name, mechanism, iterations } of metadata.image.scramCredentials.values()) {
    const infos = byUser.get(name);
    if (infos === undefined) byUser.set(name, [{ mechanism, iterations }]);
    else infos.push({ mechanism, iterations });
  }
  return byUser;
}

function resultOf(
  user: string,
  credentialInfos: readonly CredentialInfo[] | undefined,
  isTwice: boolean,
): Result {
  if (isTwice) {
    const errorMessage = `The user ${user} is named twice`;
    return { user, errorCode: Errors.DUPLICATE_RESOURCE, errorMessage, credentialInfos: [] };
  }
  if (credentialInfos === undefined) {
    const errorMessage = `The user ${user} has no credential`;
    return { user, errorCode: Errors.RESOURCE_NOT_FOUND, errorMessage, credentialInfos: [] };
  }
  return { user, errorCode: Errors.NONE, errorMessage: '', credentialInfos };
}
