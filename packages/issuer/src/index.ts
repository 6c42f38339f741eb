/**
 * The Credential Issuer and its Authorization Server.
 *
 * @module
 */
export type { ClaimsSource, ClaimsSubject } from './claims-source.js'
export type { CreatedOffer, NewOffer } from './create-offer.js'
export { type CredentialTemplate, parseCredentialTemplate } from './credential-template.js'
export type { WaitingCredential } from './decide-deferred.js'
export { createDirectory, type Directory, type ImportReport, type ImportRow } from './directory.js'
export { createIssuer, type Issuer } from './issuer.js'
export type { KeyPublication, KeySuccession, RetiredKey } from './issuer-keys.js'
export type {
  ClientAuthentication,
  IssuerDeps,
  IssuerLifetimes,
  IssuerOptions,
  MessageEncryptionOptions,
  OfferedGrant,
} from './issuer-options.js'
export { ISSUER_MANAGEMENT_ERRORS } from './management-errors.js'
export type { RegisterEntry, RegisterQuery } from './register-entry.js'
export type { PasswordSignIn, SignedInPerson, SignIn, UpstreamSignIn } from './sign-in.js'
export type { TemplateClaim } from './template-document.js'
