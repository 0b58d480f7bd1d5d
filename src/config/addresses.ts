/** `host:port`, the host perhaps in brackets; undefined where that can't be read. */
export function parseHostAndPort(text: string): { readonly host: string; readonly port: number } | undefined {
  const match = /^(?:.*:\/\/)?(?:\[([0-9a-zA-Z\-%._:]+)\]|([0-9a-zA-Z\-%._]+)):([0-9]+)$/.exec(text.trim());
  if (match === null) return undefined;
  const port = Number(match[3]);
  return port > 65535 ? undefined : { host: match[1] ?? match[2] ?? '', port };
}

export function isIpv4(host: string): boolean {
  const parts = host.split('.');
  return parts.length === 4 && parts.every((part) => /^[0-9]{1,3}$/.test(part) && Number(part) <= 255);
}

export function isIpv6(host: string): boolean {
  const address = host.split('%')[0] ?? '';
  if (!/^[0-9a-fA-F:.]+$/.test(address) || !address.includes(':')) return false;
  const halves = address.split('::');
  if (halves.length > 2) return false;
  let words = 0;
  for (const half of halves) {
    const parts = half === '' ? [] : half.split(':');
    for (const [at, part] of parts.entries()) {
      const last = half === halves.at(-1) && at === parts.length - 1;
      if (last && isIpv4(part)) words += 2;
      else if (/^[0-9a-fA-F]{1,4}$/.test(part)) words++;
      else return false;
    }
  }
  return halves.length === 2 ? words < 8 : words === 8;
}

/** Whether only this machine reaches `host`. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIpv4(host) && host.startsWith('127.'));
}

/** Whether binding to `host` means all addresses of the machine; so does no host at all. */
export function isWildcard(host: string | undefined): boolean {
  return host === undefined || host === '0.0.0.0' || (isIpv6(host) && /^[0:]+$/.test(host));
}

/** `host:port` as it is written, IPv6 in brackets. */
export function formatAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** `max.connections.per.ip.overrides`: limits by address as sockets show it, and the host names that stand there. */
export function parseConnectionOverrides(text: string): {
  readonly limits: ReadonlyMap<string, number>;
  readonly names: readonly string[];
} {
  const limits = new Map<string, number>();
  const names: string[] = [];
  for (const entry of text.split(',')) {
    const at = entry.lastIndexOf(':');
    if (at < 0) continue;
    const host = entry
      .slice(0, at)
      .trim()
      .replace(/^\[|\]$/g, '');
    const limit = Number(entry.slice(at + 1).trim());
    if (host === 'localhost') limits.set('127.0.0.1', limit).set('::1', limit);
    else if (isIpv6(host)) limits.set(new URL(`http://[${host}]`).hostname.slice(1, -1), limit);
    else if (isIpv4(host)) limits.set(host, limit);
    else names.push(host);
  }
  return { limits, names };
}
