/**
 * Credential Issuer Metadata as a value.
 *
 * Owns the shape alone; `issuer-metadata.ts` makes and reads the document, `issuer-metadata-rules.ts` holds
 * what a maker must keep to.
 *
 * Source: OpenID4VCI 1.0, section 12.2.4.
 *
 * @module
 */
import type { PublicJwk } from '@attache/keys'
import type { CredentialConfiguration } from './credential-configuration.js'
import type { Display } from './display.js'

/**
 * How Credential Requests may be encrypted.
 *
 * Source: OpenID4VCI 1.0, section 12.2.4, `credential_request_encryption`.
 */
export interface RequestEncryptionOffer {
  /** Public keys, each with a `kid` of its own and an `alg`. */
  readonly jwks: readonly PublicJwk[]
  readonly encValues: readonly string[]
  readonly zipValues?: readonly string[] | undefined
  readonly required: boolean
}

/**
 * How Credential Responses can be encrypted.
 *
 * Source: OpenID4VCI 1.0, section 12.2.4, `credential_response_encryption`.
 */
export interface ResponseEncryptionOffer {
  readonly algValues: readonly string[]
  readonly encValues: readonly string[]
  readonly zipValues?: readonly string[] | undefined
  readonly required: boolean
}

/**
 * Credential Issuer Metadata.
 *
 * Source: OpenID4VCI 1.0, section 12.2.4.
 */
export interface IssuerMetadata {
  /** Credential Issuer Identifier, byte for byte. */
  readonly credentialIssuer: string
  /** Issuer identifiers of authorization servers. Left out: the Credential Issuer is its own. */
  readonly authorizationServers?: readonly string[] | undefined
  readonly credentialEndpoint: string
  readonly nonceEndpoint?: string | undefined
  readonly deferredCredentialEndpoint?: string | undefined
  readonly notificationEndpoint?: string | undefined
  /** Most proofs in one Credential Request, at least 2. Left out: one. */
  readonly batchSize?: number | undefined
  readonly requestEncryption?: RequestEncryptionOffer | undefined
  readonly responseEncryption?: ResponseEncryptionOffer | undefined
  readonly display?: readonly Display[] | undefined
  /** By id. A reader finds the entries of format `dc+sd-jwt` only. */
  readonly credentialConfigurations: ReadonlyMap<string, CredentialConfiguration>
}
