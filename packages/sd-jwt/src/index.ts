/**
 * SD-JWT VC: issue, choose disclosures, bind, verify; type metadata.
 *
 * @module
 */
export type { CredentialStatus, CredentialType } from './credential-claims.js'
export { matchesType, NEVER_DISCLOSABLE } from './credential-claims.js'
export type { DecoyTarget } from './disclosure-frame.js'
export type { SdJwtErrorCode } from './errors.js'
export { SD_JWT_ERRORS } from './errors.js'
export type { HeldSdJwtVc } from './held-sd-jwt-vc.js'
export { parseHeldSdJwtVc, selectDisclosures } from './held-sd-jwt-vc.js'
export type { IssuanceErrorCode } from './issuance-errors.js'
export { ISSUANCE_ERRORS } from './issuance-errors.js'
export type { IssueSdJwtVcDeps, SdJwtVcContent } from './issue-sd-jwt-vc.js'
export { issueSdJwtVc } from './issue-sd-jwt-vc.js'
export type { IssuedClaims, SelectedClaim } from './issued-claims.js'
export { selectIssuedClaims } from './issued-claims.js'
export type { IssuerFacts, IssuerKeyResolver, ResolvedIssuerKey } from './issuer-key.js'
export type { KeyBindingExpectation, KeyBindingStatement, VerifiedKeyBinding } from './key-binding.js'
export type { SdJwtLimits } from './limits.js'
export { DEFAULT_LIMITS } from './limits.js'
export type { SdJwtVcPresentation } from './present-sd-jwt-vc.js'
export { presentSdJwtVc } from './present-sd-jwt-vc.js'
export type { DisclosedClaim, ProcessedClaims } from './process-disclosures.js'
export type {
  VerifiedIssuerCache,
  VerifiedIssuerCacheOptions,
  VerifiedIssuerJwt,
} from './verified-issuer-cache.js'
export { createVerifiedIssuerCache } from './verified-issuer-cache.js'
export type { SdJwtExpectation, VerifiedSdJwt } from './verify-sd-jwt.js'
export { verifySdJwt } from './verify-sd-jwt.js'
export type { SdJwtVcExpectation, VerifiedSdJwtVc } from './verify-sd-jwt-vc.js'
export { verifySdJwtVc } from './verify-sd-jwt-vc.js'
