import { apiVersionsFeatures, type FeatureRange } from '../../metadata/features.ts';
import type { MetadataImage } from '../../metadata/image.ts';
import { type ErrorCode, Errors } from '../../protocol/errors.ts';
import { ApiVersionsRequest, ApiVersionsResponse } from '../../protocol/messages/api-versions.ts';
import { type ApiRow, serial } from '../api-row.ts';
import type { Call, ListenerKind } from '../call.ts';

/** KIP-511: what a client may call itself. */
const SOFTWARE_NAME = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/;

type ApiKeys = ApiVersionsResponse['apiKeys'];

export interface ApiVersionsServices {
  readonly nodeId: number;
  readonly clusterId: string;
  readonly supportedFeatures: ReadonlyMap<string, FeatureRange>;
  /** The finalized features are in it, except kraft.version, which the metadata log itself keeps. */
  image(): MetadataImage;
  kraftVersion(): number;
  /** All rows served on a kind of listener, this one included. */
  rowsOf(kind: ListenerKind): readonly ApiRow[];
}

/**
 * ApiVersions v0-5. An unknown version is answered with error 35 in the shape of version 0 (KIP-511), with the whole
 * list, for some clients take it from there. v5 (KIP-1242): a client that names another cluster or node is told to
 * bootstrap again.
 */
export function apiVersionsRow(services: ApiVersionsServices): ApiRow {
  // Every connection begins with this request, and the rows never change.
  const known = new Map<ListenerKind, ApiKeys>();
  const keysOf = ({ peer }: Call<ApiVersionsResponse>): ApiKeys => {
    let keys = known.get(peer.listenerKind);
    if (keys === undefined) {
      keys = services.rowsOf(peer.listenerKind).map(({ apiKey, versionMin, versionMax }) => ({
        apiKey,
        minVersion: versionMin,
        maxVersion: versionMax,
      }));
      known.set(peer.listenerKind, keys);
    }
    return keys;
  };
  return serial<ApiVersionsRequest, ApiVersionsResponse>({
    request: ApiVersionsRequest,
    response: ApiVersionsResponse,
    listeners: ['broker', 'controller'],
    handle(call, request) {
      // Of a version that is not known the body is not read.
      if (call.request === undefined) {
        return { ...empty(Errors.UNSUPPORTED_VERSION), apiKeys: keysOf(call) };
      }
      const error = check(services, call, request);
      if (error !== Errors.NONE) return empty(error);
      if (call.version >= 3) {
        call.peer.clientSoftwareName = request.clientSoftwareName;
        call.peer.clientSoftwareVersion = request.clientSoftwareVersion;
      }
      return {
        ...empty(Errors.NONE),
        apiKeys: keysOf(call),
        ...apiVersionsFeatures(
          services.supportedFeatures,
          services.image().features,
          call.version,
          services.kraftVersion(),
        ),
      };
    },
    failure: (_request, code) => empty(code),
  });
}

function check(
  services: ApiVersionsServices,
  call: Call<ApiVersionsResponse>,
  request: ApiVersionsRequest,
): ErrorCode {
  if (call.version >= 3) {
    const { clientSoftwareName, clientSoftwareVersion } = request;
    if (!SOFTWARE_NAME.test(clientSoftwareName) || !SOFTWARE_NAME.test(clientSoftwareVersion)) {
      return Errors.INVALID_REQUEST;
    }
  }
  const { clusterId, nodeId } = request;
  if (
    call.version >= 5 &&
    clusterId !== null &&
    (clusterId !== services.clusterId || nodeId !== services.nodeId)
  ) {
    return Errors.REBOOTSTRAP_REQUIRED;
  }
  return Errors.NONE;
}

function empty(errorCode: ErrorCode): ApiVersionsResponse {
  return {
    errorCode,
    apiKeys: [],
    throttleTimeMs: 0,
    supportedFeatures: [],
    finalizedFeaturesEpoch: -1,
    finalizedFeatures: [],
    zkMigrationReady: false,
  };
}
