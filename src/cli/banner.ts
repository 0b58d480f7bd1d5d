import { lookup } from 'node:dns/promises';
import { formatAddress, isLoopback, isWildcard } from '../config/addresses.ts';

/** One open listener of a running node. */
export interface OpenListener {
  readonly name: string;
  readonly bound: { readonly host: string; readonly port: number };
  /** Undefined where clients are not told of it. */
  readonly advertised: { readonly host: string; readonly port: number } | undefined;
}

/** `PLAINTEXT: listens on all addresses, port 9092; clients are told localhost:9092`. */
export function listenerLine({ name, bound, advertised }: OpenListener): string {
  const everywhere = isWildcard(bound.host === '' ? undefined : bound.host);
  const where = everywhere ? `all addresses, port ${bound.port}` : formatAddress(bound.host, bound.port);
  const told =
    advertised === undefined
      ? 'not shown to clients'
      : `clients are told ${formatAddress(advertised.host, advertised.port)}`;
  return `${name}: listens on ${where}; ${told}`;
}

/** What clients use as bootstrap servers. */
export function bootstrapServersOf(listeners: readonly OpenListener[]): string {
  return listeners
    .flatMap(({ advertised }) =>
      advertised === undefined ? [] : [formatAddress(advertised.host, advertised.port)],
    )
    .join(',');
}

export type Resolve = (host: string) => Promise<unknown>;

/** Why clients might fail to connect to what they are told, one text per listener that is in doubt. */
export async function advertisedWarnings(
  listeners: readonly OpenListener[],
  resolve: Resolve = lookup,
): Promise<string[]> {
  const warnings: string[] = [];
  for (const { name, bound, advertised } of listeners) {
    if (advertised === undefined) continue;
    const address = formatAddress(advertised.host, advertised.port);
    const way = `set advertised.listeners=${name}://<address that clients reach>:${advertised.port}`;
    if (isWildcard(advertised.host)) {
      warnings.push(
        `${name}: clients are told ${address}, which stands for all addresses and leads nowhere; ${way}`,
      );
    } else if (isLoopback(advertised.host)) {
      if (!isWildcard(bound.host === '' ? undefined : bound.host)) continue;
      warnings.push(
        `${name}: listens on all addresses, but clients are told ${address}, which only this machine reaches; for others ${way}`,
      );
    } else if (
      await resolve(advertised.host).then(
        () => false,
        () => true,
      )
    ) {
      warnings.push(
        `${name}: clients are told ${address}, and this machine can't resolve ${advertised.host}; ${way}`,
      );
    }
  }
  return warnings;
}
