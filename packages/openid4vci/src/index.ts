/**
 * OpenID4VCI 1.0 messages, both halves: what the issuer makes the wallet reads, and the other way round.
 *
 * @module
 */
export {
  type ClaimDescription,
  makeClaimDescriptions,
  parseClaimDescriptions,
} from './claim-descriptions.js'
export {
  CREDENTIAL_AUTHORIZATION_DETAIL,
  type CredentialAuthorizationDetail,
  makeCredentialAuthorizationDetail,
  parseCredentialAuthorizationDetail,
} from './credential-authorization-detail.js'
export {
  type CredentialConfiguration,
  type KeyAttestationRequirement,
  type ProofTypeRules,
  SD_JWT_VC_FORMAT,
} from './credential-configuration.js'
export {
  type CredentialOffer,
  makeCredentialOffer,
  type OfferedGrants,
  PRE_AUTHORIZED_CODE_GRANT,
  parseCredentialOffer,
  type TransactionCodeInput,
} from './credential-offer.js'
export {
  type CarriedOffer,
  DEFAULT_CREDENTIAL_OFFER_ENDPOINT,
  makeCredentialOfferUri,
  parseCredentialOfferUri,
} from './credential-offer-uri.js'
export {
  type CredentialRequest,
  makeCredentialRequest,
  type Proofs,
  parseCredentialRequest,
  type WantedCredential,
} from './credential-request.js'
export {
  type CredentialResponse,
  makeCredentialResponse,
  parseCredentialResponse,
} from './credential-response.js'
export {
  type DeferredCredentialRequest,
  makeDeferredCredentialRequest,
  parseDeferredCredentialRequest,
} from './deferred-credential-request.js'
export type { Display } from './display.js'
export { OPENID4VCI_CONFIGURATION_ERRORS, OPENID4VCI_ERRORS, OPENID4VCI_REFUSALS } from './errors.js'
export { isCredentialIssuerIdentifier, issuerMetadataUrl } from './issuer-identifier.js'
export { makeIssuerMetadata, parseIssuerMetadata } from './issuer-metadata.js'
export type {
  IssuerMetadata,
  RequestEncryptionOffer,
  ResponseEncryptionOffer,
} from './issuer-metadata-document.js'
export { checkHaipIssuerMetadata, checkIssuerMetadata } from './issuer-metadata-rules.js'
export {
  createKeyAttestation,
  type ExpectedKeyAttestation,
  KEY_ATTESTATION_TYP,
  type KeyAttestation,
  verifyKeyAttestation,
} from './key-attestation.js'
export {
  createKeyProof,
  type ExpectedKeyProof,
  KEY_PROOF_TYP,
  type KeyProofFacts,
  type VerifiedKeyProof,
  verifyKeyProof,
} from './key-proof.js'
export {
  decryptCredentialRequest,
  decryptCredentialResponse,
  ENCRYPTED_MESSAGE_MEDIA_TYPE,
  encryptCredentialRequest,
  encryptCredentialResponse,
  makeResponseEncryption,
  parseResponseEncryption,
  type ResponseEncryption,
} from './message-encryption.js'
export { makeNonceResponse, type NonceResponse, parseNonceResponse } from './nonce.js'
export {
  makeNotificationRequest,
  type NotificationEvent,
  type NotificationRequest,
  parseNotificationRequest,
} from './notification.js'
export { createSignedMetadata, SIGNED_METADATA_TYP, verifySignedMetadata } from './signed-metadata.js'
