import { NetworkError, type NetworkErrorCode } from '../base/ports.ts';

const texts: Readonly<Record<string, readonly [NetworkErrorCode, string]>> = {
  EADDRINUSE: ['EADDRINUSE', 'the port is in use'],
  EADDRNOTAVAIL: ['EADDRNOTAVAIL', 'this machine has no such address'],
  EACCES: ['EACCES', 'no permission (ports below 1024 need privileges)'],
  EPERM: ['EACCES', 'no permission'],
  ENOTFOUND: ['ENOTFOUND', 'the host name is unknown'],
  EAI_AGAIN: ['ENOTFOUND', 'the host name could not be looked up'],
  ECONNREFUSED: ['ECONNREFUSED', 'nothing listens there'],
  ECONNRESET: ['ECONNRESET', 'the connection was reset by the other side'],
  EPIPE: ['ECONNRESET', 'the connection was closed by the other side'],
  ECONNABORTED: ['ECONNRESET', 'the connection was aborted'],
  ETIMEDOUT: ['ETIMEDOUT', 'the other side did not answer in time'],
  EHOSTUNREACH: ['EUNREACHABLE', 'there is no route to the host'],
  ENETUNREACH: ['EUNREACHABLE', 'there is no route to the network'],
  EMFILE: ['EMFILE', 'too many open files (see ulimit -n)'],
  ENFILE: ['EMFILE', 'too many open files on this machine'],
};

/** The error of Node as the port's own, `doing` said before the reason. */
export function networkError(cause: unknown, doing: string): NetworkError {
  const [inner] = cause instanceof AggregateError ? cause.errors : [cause];
  const code: unknown = inner instanceof Error ? Reflect.get(inner, 'code') : undefined;
  const known = typeof code === 'string' ? texts[code] : undefined;
  if (known !== undefined) return new NetworkError(known[0], `${doing}: ${known[1]}`, { cause });
  const text = inner instanceof Error ? inner.message : String(inner);
  return new NetworkError('EOTHER', `${doing}: ${text}`, { cause });
}
