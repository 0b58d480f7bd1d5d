import type { GroupRequestContext } from '../coordinator/index.ts';
import type { Call } from './call.ts';

/** Who sent a request, as the group coordinator keeps it. */
export function groupRequestContext<Response>(call: Call<Response>): GroupRequestContext {
  return {
    apiVersion: call.version,
    clientId: call.header.clientId ?? '',
    clientHost: `/${call.peer.remoteHost}`,
  };
}
