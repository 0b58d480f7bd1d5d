import { type ErrorCode, Errors, errorText } from '../../protocol/errors.ts';
import { CreateAclsRequest, CreateAclsResponse } from '../../protocol/messages/create-acls.ts';
import { DeleteAclsRequest, DeleteAclsResponse } from '../../protocol/messages/delete-acls.ts';
import { DescribeAclsRequest, DescribeAclsResponse } from '../../protocol/messages/describe-acls.ts';
import { type ApiRow, type ApiShape, serial } from '../api-row.ts';

/**
 * DescribeAcls, CreateAcls and DeleteAcls v0-3 (KIP-140). There is no authorizer, which Apache Kafka without one answers
 * with SECURITY_DISABLED; clients take it for "everything is allowed".
 */
export function aclRows(): readonly ApiRow[] {
  return [disabled(describeAcls), disabled(createAcls), disabled(deleteAcls)];
}

type AclShape<Request, Response> = ApiShape<Request, Response> & {
  failure(request: Request, errorCode: ErrorCode, errorMessage: string | null): Response;
};

function disabled<Request, Response>(shape: AclShape<Request, Response>): ApiRow {
  const message = errorText(Errors.SECURITY_DISABLED);
  return serial<Request, Response>({
    ...shape,
    listeners: ['broker', 'controller'],
    handle: (_call, request) => shape.failure(request, Errors.SECURITY_DISABLED, message),
  });
}

const describeAcls: AclShape<DescribeAclsRequest, DescribeAclsResponse> = {
  request: DescribeAclsRequest,
  response: DescribeAclsResponse,
  failure: (_request, errorCode, errorMessage) => ({
    throttleTimeMs: 0,
    errorCode,
    errorMessage,
    resources: [],
  }),
};

const createAcls: AclShape<CreateAclsRequest, CreateAclsResponse> = {
  request: CreateAclsRequest,
  response: CreateAclsResponse,
  failure: (request, errorCode, errorMessage) => ({
    throttleTimeMs: 0,
    results: request.creations.map(() => ({ errorCode, errorMessage })),
  }),
};

const deleteAcls: AclShape<DeleteAclsRequest, DeleteAclsResponse> = {
  request: DeleteAclsRequest,
  response: DeleteAclsResponse,
  failure: (request, errorCode, errorMessage) => ({
    throttleTimeMs: 0,
    filterResults: request.filters.map(() => ({ errorCode, errorMessage, matchingAcls: [] })),
  }),
};
