/**
 * OpenID4VP 1.0 messages and DCQL, both halves.
 *
 * @module
 */
export type { AuthorizationRequest, ResponseMode } from './authorization-request.js'
export { encodeAuthorizationRequest, parseAuthorizationRequest } from './authorization-request.js'
export type { RequestHandover } from './authorization-request-url.js'
export {
  parseHandover,
  parseRequestUrl,
  requestUrlByReference,
  requestUrlByValue,
  requestUrlWithObject,
} from './authorization-request-url.js'
export type { PostedResponse, ReceivedResponse, WalletAnswer } from './authorization-response.js'
export {
  directPostBody,
  fragmentUrl,
  parseDirectPost,
  parseResponseParameters,
  responseParameters,
} from './authorization-response.js'
export type { AuthenticatedClient, ClientTrust, RegisteredClient } from './client-authentication.js'
export type { ClientIdentifier, ClientIdentifierPrefix } from './client-identifier.js'
export { parseClientIdentifier, x509HashClientIdentifier } from './client-identifier.js'
export type { ClientMetadata, SdJwtFormat } from './client-metadata.js'
export { encodeClientMetadata, parseClientMetadata } from './client-metadata.js'
export { lintDcqlQuery } from './dcql-authoring.js'
export type { CredentialMatch, DcqlCredential, DcqlMismatch } from './dcql-credential.js'
export { matchCredential } from './dcql-credential.js'
export type { CredentialSetOutcome } from './dcql-credential-sets.js'
export { satisfyCredentialSets } from './dcql-credential-sets.js'
export type { DcqlIndex, DcqlMatch, DcqlSelection } from './dcql-match.js'
export { indexCredentials, matchDcqlQuery } from './dcql-match.js'
export type { SelectedValue } from './dcql-path.js'
export { selectWithPaths } from './dcql-path.js'
export type {
  ClaimsQuery,
  CredentialQuery,
  CredentialSetQuery,
  DcqlQuery,
  DcqlValue,
  TrustedAuthority,
} from './dcql-query.js'
export { encodeDcqlQuery, parseDcqlQuery } from './dcql-query.js'
export { createDidKeys } from './did-key.js'
export { OPENID4VP_ERRORS, REQUEST_STOPS } from './errors.js'
export { withHiddenElements } from './hidden-elements.js'
export type { IaRequest } from './ia-vci11-01.js'
export {
  acceptedIaAudiences,
  checkIaRequest,
  encodeIaRequest,
  encodeIaResponse,
  IA_OPENID4VP_PRESENTATION,
  iaAudience,
  parseIaRequest,
  parseIaResponse,
} from './ia-vci11-01.js'
export type { OwnCertificate, RequestSigner } from './outgoing-client.js'
export { readOwnCertificate } from './outgoing-client.js'
export type { OutgoingRequest } from './outgoing-request.js'
export { checkOutgoingRequest, checkRequestReference } from './outgoing-request.js'
export type { RequestObjectExpectation, VerifiedRequest } from './request-object.js'
export { STATIC_AUDIENCE, signRequestObject, verifyRequestObject } from './request-object.js'
export type { RequestUriFetch, RequestUriPost, WalletMetadata } from './request-uri.js'
export {
  encodeWalletMetadata,
  encryptRequestObject,
  parseRequestUriPost,
  REQUEST_OBJECT_MEDIA_TYPE,
  requestUriFetch,
} from './request-uri.js'
export type { ResponseEnc } from './response-encryption.js'
export { chooseResponseEncryption, decryptResponse, encryptResponse } from './response-encryption.js'
export type { ResponseUriPolicy } from './response-uri.js'
export { boundResponseUri } from './response-uri.js'
export type { TransactionData, TransactionDataHash } from './transaction-data.js'
export {
  encodeTransactionData,
  hashTransactionData,
  parseTransactionData,
  TRANSACTION_DATA_HASHES,
} from './transaction-data.js'
export type { UnsignedExpectation } from './unsigned-request.js'
export {
  isUnsignedRequestObject,
  readUnsignedParameters,
  readUnsignedRequestObject,
} from './unsigned-request.js'
export type { VerifierAttestation, VerifierAttestationExpectation } from './verifier-attestation.js'
export { attestationProblem, usableVerifierInfo, verifyVerifierAttestation } from './verifier-attestation.js'
export type { VerifierInfo } from './verifier-info.js'
export { encodeVerifierInfo, parseVerifierInfo } from './verifier-info.js'
export type { VpToken } from './vp-token.js'
export { encodeVpToken, parseVpToken } from './vp-token.js'
