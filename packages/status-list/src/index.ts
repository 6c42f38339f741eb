/**
 * Token Status List: allocate, pack, sign, resolve with cache.
 *
 * @module
 */
export type { FreshnessPolicy } from './freshness.js'
export type { IndexProposal } from './index-allocation.js'
export type { PublishedList } from './publication.js'
export type { StatusChange } from './status-change.js'
export type { StatusBits, StatusList } from './status-list.js'
export {
  createStatusList,
  isStatusBits,
  packStatusList,
  statusAt,
  unpackStatusList,
  writeStatus,
} from './status-list.js'
export { STATUS_LIST_ERRORS } from './status-list-endpoint.js'
export type { ExpectedStatusListToken, StatusListToken } from './status-list-token.js'
export {
  createStatusListToken,
  STATUS_LIST_MEDIA_TYPE,
  STATUS_LIST_TOKEN_TYPE,
  verifyStatusListToken,
} from './status-list-token.js'
export type { StatusListTrust, TrustCertificatesOptions } from './status-list-trust.js'
export { trustCertificates, trustKey } from './status-list-trust.js'
export type { StatusLists, StatusListsDeps, StatusListsOptions } from './status-lists.js'
export { createStatusLists } from './status-lists.js'
export type { StatusReference } from './status-reference.js'
export { parseStatusReference, statusClaim } from './status-reference.js'
export type {
  StatusResolver,
  StatusResolverDeps,
  StatusResolverOptions,
  StatusStatement,
} from './status-resolver.js'
export { createStatusResolver, requireValidStatus } from './status-resolver.js'
export type { StatusName } from './status-value.js'
export { STATUS_VALUES, statusName } from './status-value.js'
