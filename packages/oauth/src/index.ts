/**
 * The OAuth half of the wire: tokens, DPoP, PAR, attestation, challenge, message signatures.
 *
 * Names in the order in which the messages travel; the README lists the files the same way.
 *
 * @module
 */

export type { AcceptedSignature } from './accept-signature.js'
export {
  createAcceptSignature,
  parseAcceptSignature,
  SIGNED_ON_REQUEST_HEADERS,
  signatureRefusal,
} from './accept-signature.js'
export type { AccessTokenClaims, AccessTokenExpectation } from './access-token.js'
export {
  createAccessToken,
  createConfirmation,
  parseConfirmation,
  verifyAccessToken,
} from './access-token.js'
export {
  ATTESTATION_CHALLENGE_HEADER,
  createChallengeResponse,
  parseChallengeResponse,
  requireChallenge,
  spendChallenge,
} from './attestation-challenge.js'
export type {
  AuthorizationChallengeRequest,
  AuthorizationChallengeResponse,
  FollowUpChallengeRequest,
  InitialChallengeRequest,
  InsufficientAuthorization,
} from './authorization-challenge-fipa03.js'
export {
  createAuthorizationChallengeRequest,
  createAuthorizationCodeResponse,
  insufficientAuthorization,
  parseAuthorizationChallengeRequest,
  parseAuthorizationChallengeResponse,
} from './authorization-challenge-fipa03.js'
export type { AuthorizationRequest } from './authorization-request.js'
export {
  createAuthorizationRequest,
  dpopKeyOfRequest,
  parseAuthorizationRequest,
  requireBoundKey,
} from './authorization-request.js'
export type { AuthorizationResponse } from './authorization-response.js'
export { createAuthorizationResponse, parseAuthorizationResponse } from './authorization-response.js'
export type { AuthorizationServerMetadata } from './authorization-server-metadata.js'
export {
  authorizationServerMetadataUrl,
  createAuthorizationServerMetadata,
  mtlsEndpoint,
  parseAuthorizationServerMetadata,
} from './authorization-server-metadata.js'
export type {
  AttestedClient,
  ClientAttestationExpectation,
  ClientAttestationPopStatement,
  ClientAttestationStatement,
  PresentedClientAttestation,
} from './client-attestation.js'
export {
  CLIENT_ATTESTATION_HEADER,
  CLIENT_ATTESTATION_POP_HEADER,
  createClientAttestation,
  createClientAttestationPop,
  rememberPop,
  replayedPop,
  verifyClientAttestation,
} from './client-attestation.js'
export type { ClientPattern, TrustedAttester } from './client-attester.js'
export { CLIENT_AUTHENTICATION_METHODS, refuseSecondAuthentication } from './client-authentication.js'
export type { Content, DigestAlgorithm, DigestedContent } from './content-digest.js'
export {
  chooseDigestAlgorithm,
  createContentDigest,
  readDigestedBody,
  verifyContentDigest,
} from './content-digest.js'
export type { DpopExpectation, DpopProof, DpopProofRequest } from './dpop.js'
export { createDpopProof, DPOP_ALGORITHMS, rememberProof, replayedProof, verifyDpopProof } from './dpop.js'
export type { DpopFetchDeps, DpopNonceMemory, DpopOutboundRequest } from './dpop-fetch.js'
export {
  createDpopFetch,
  createDpopNonceMemory,
  demandsDpopNonce,
  headersWithProof,
} from './dpop-fetch.js'
export {
  OAUTH_ANSWER_FAILURES,
  OAUTH_CHECK_FAILURES,
  OAUTH_CONFIGURATION_ERRORS,
  OAUTH_ERRORS,
  PROTECTED_RESOURCE_ERRORS,
} from './errors.js'
export type { FormParameters } from './form.js'
export { encodeForm, FORM_MEDIA_TYPE, formParameters } from './form.js'
export type {
  RequestWithBody,
  ResponseWithBody,
  SignedRequestExpectation,
  SignedResponseExpectation,
  SigningFacts,
} from './http-signature.js'
export {
  requiredOfRequest,
  signRequest,
  signResponse,
  verifySignedRequest,
  verifySignedResponse,
} from './http-signature.js'
export type { IntrospectionResponse } from './introspection.js'
export {
  createIntrospectionRequest,
  createIntrospectionResponse,
  parseIntrospectionRequest,
  parseIntrospectionResponse,
} from './introspection.js'
export type { MessageSignatureRule } from './message-signature-metadata.js'
export type { ClientCertificateSource, MtlsRegistration } from './mtls.js'
export { certificateThumbprint, clientCertificate, verifyMtlsClient } from './mtls.js'
export type { PushedAuthorizationResponse } from './par.js'
export {
  createPushedAuthorizationRequest,
  createPushedAuthorizationResponse,
  createPushedAuthorizationUrl,
  parsePushedAuthorizationReference,
  parsePushedAuthorizationRequest,
  parsePushedAuthorizationResponse,
  REQUEST_URI_PREFIX,
} from './par.js'
export type { Pkce } from './pkce.js'
export { CODE_CHALLENGE_METHOD, createPkce, parseCodeChallenge, verifyPkce } from './pkce.js'
export type { Confirmation, PresentedToken, ResourceChallenge } from './protected-request.js'
export {
  createResourceChallenge,
  EXPOSED_HEADERS,
  parsePresentedToken,
  requireConfirmation,
} from './protected-request.js'
export type {
  MetadataSigner,
  ProtectedResourceExpectation,
  ProtectedResourceMetadata,
} from './protected-resource-metadata.js'
export {
  chooseAuthorizationServer,
  createProtectedResourceMetadata,
  parseProtectedResourceMetadata,
  protectedResourceMetadataUrl,
} from './protected-resource-metadata.js'
export type { OpenedNonce, ServerNonces, ServerNonceUse } from './server-nonces.js'
export { createServerNonces } from './server-nonces.js'
export type { LabelledSignature, SignatureInput } from './signature-base.js'
export { createSignatureBase, createSignatureFields, parseSignatureFields } from './signature-base.js'
export type {
  Component,
  HeaderFields,
  HttpMessage,
  RequestMessage,
  ResponseMessage,
} from './signature-components.js'
export { componentId, componentValue, parseComponent } from './signature-components.js'
export type { SignaturePolicy, VerifiedSignature } from './signature-profile.js'
export {
  REQUEST_SIGNATURE_TAG,
  RESPONSE_SIGNATURE_TAG,
  rememberSignature,
  signatureAlgorithm,
  verifySignatureByPolicy,
} from './signature-profile.js'
export { externalUrl, normalizeTargetUri } from './target-uri.js'
export type {
  AuthorizationCodeTokenRequest,
  PreAuthorizedCodeTokenRequest,
  RefreshTokenRequest,
  TokenRequest,
} from './token-request.js'
export { createTokenRequest, PRE_AUTHORIZED_CODE_GRANT, parseTokenRequest } from './token-request.js'
export type { ErrorResponse, TokenResponse } from './token-response.js'
export {
  createErrorResponse,
  createTokenResponse,
  parseErrorResponse,
  parseTokenResponse,
} from './token-response.js'
export type { Challenge } from './www-authenticate.js'
export { createWwwAuthenticate, parseWwwAuthenticate } from './www-authenticate.js'
