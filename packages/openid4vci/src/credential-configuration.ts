/**
 * One entry of `credential_configurations_supported`, for the format `dc+sd-jwt`.
 *
 * Owns both halves of the entry. Other formats are skipped by `issuer-metadata.ts`.
 *
 * Source: OpenID4VCI 1.0, section 12.2.4 and Appendix A.3.
 *
 * @module
 */
import { isJsonObject, type JsonObject, type JsonValue, member } from '@attache/core'
import { type ClaimDescription, makeClaimDescriptions, parseClaimDescriptions } from './claim-descriptions.js'
import { type Display, parseDisplay, wireDisplay } from './display.js'
import { wireObject } from './make-message.js'
import { type Members, openMembers, optional, readersFor, refusal, required } from './read-members.js'

/**
 * The only credential format this project speaks.
 *
 * Source: OpenID4VCI 1.0, Appendix A.3.1.
 */
export const SD_JWT_VC_FORMAT = 'dc+sd-jwt'

/**
 * What a key attestation must state. An empty object accepts any attestation.
 *
 * Source: OpenID4VCI 1.0, section 12.2.4 and Appendix D.2.
 */
export interface KeyAttestationRequirement {
  readonly keyStorage?: readonly string[] | undefined
  readonly userAuthentication?: readonly string[] | undefined
}

/**
 * What one proof type must look like.
 *
 * Source: OpenID4VCI 1.0, section 12.2.4.
 */
export interface ProofTypeRules {
  readonly signingAlgorithms: readonly string[]
  /** Present when a key attestation is demanded. */
  readonly keyAttestations?: KeyAttestationRequirement | undefined
}

/**
 * A Credential Configuration.
 *
 * Source: OpenID4VCI 1.0, section 12.2.4 and Appendix A.3.
 */
export interface CredentialConfiguration {
  readonly vct: string
  readonly scope?: string | undefined
  /** JOSE names. */
  readonly signingAlgorithms?: readonly string[] | undefined
  /** Present, with `proofTypes`, when the credential is bound to a key. */
  readonly bindingMethods?: readonly string[] | undefined
  readonly proofTypes?:
    | { readonly jwt?: ProofTypeRules | undefined; readonly attestation?: ProofTypeRules | undefined }
    | undefined
  readonly display?: readonly Display[] | undefined
  readonly claims?: readonly ClaimDescription[] | undefined
  /** Read only: `claims` were there and broke a rule, so none of them is used (Appendix B.3). */
  readonly claimsDropped?: true | undefined
}

const read = readersFor('metadata')

/** The wire form of an entry. */
export function wireConfiguration(configuration: CredentialConfiguration): JsonObject {
  const { proofTypes, display, claims } = configuration
  return wireObject({
    format: SD_JWT_VC_FORMAT,
    vct: configuration.vct,
    scope: configuration.scope,
    credential_signing_alg_values_supported: configuration.signingAlgorithms,
    cryptographic_binding_methods_supported: configuration.bindingMethods,
    proof_types_supported:
      proofTypes &&
      wireObject({
        jwt: proofTypes.jwt && wireRules(proofTypes.jwt),
        attestation: proofTypes.attestation && wireRules(proofTypes.attestation),
      }),
    credential_metadata:
      display || claims
        ? wireObject({
            display: display && wireDisplay(display),
            claims: claims && makeClaimDescriptions(claims),
          })
        : undefined,
  })
}

/** Reads an entry whose format is `dc+sd-jwt`. @throws {ProtocolError} `metadata`. */
export function parseConfiguration(from: Members): CredentialConfiguration {
  const bindingMethods = optional(from, 'cryptographic_binding_methods_supported', read.list(read.text))
  const proofTypes = optional(from, 'proof_types_supported', parseProofTypes)
  if ((bindingMethods === undefined) !== (proofTypes === undefined)) {
    throw refusal(
      from,
      'proof_types_supported',
      'must be there exactly when cryptographic_binding_methods_supported is.',
    )
  }
  const metadata = member(from.object, 'credential_metadata')
  const shown = isJsonObject(metadata) ? metadata : {}
  return {
    vct: required(from, 'vct', read.text),
    scope: optional(from, 'scope', read.text),
    // Other formats number their algorithms (COSE); such a value is no JOSE name and says nothing here.
    signingAlgorithms: optional(from, 'credential_signing_alg_values_supported', (value) =>
      Array.isArray(value) ? value.filter((name) => typeof name === 'string') : undefined,
    ),
    bindingMethods,
    proofTypes,
    display: parseDisplay(member(shown, 'display')),
    ...parseClaims(member(shown, 'claims')),
  }
}

function parseClaims(
  value: JsonValue | undefined,
): Pick<CredentialConfiguration, 'claims' | 'claimsDropped'> {
  if (value === undefined) return {}
  const claims = parseClaimDescriptions(value)
  return claims === undefined ? { claimsDropped: true } : { claims }
}

function wireRules(rules: ProofTypeRules): JsonObject {
  return wireObject({
    proof_signing_alg_values_supported: rules.signingAlgorithms,
    key_attestations_required:
      rules.keyAttestations &&
      wireObject({
        key_storage: rules.keyAttestations.keyStorage,
        user_authentication: rules.keyAttestations.userAuthentication,
      }),
  })
}

function parseProofTypes(value: JsonValue, path: string): NonNullable<CredentialConfiguration['proofTypes']> {
  const from = openMembers(value, path, 'metadata')
  return { jwt: optional(from, 'jwt', parseRules), attestation: optional(from, 'attestation', parseRules) }
}

function parseRules(value: JsonValue, path: string): ProofTypeRules {
  const from = openMembers(value, path, 'metadata')
  const demanded = optional(from, 'key_attestations_required', read.object)
  return {
    signingAlgorithms: required(from, 'proof_signing_alg_values_supported', read.list(read.text)),
    keyAttestations: demanded && {
      keyStorage: optional(demanded, 'key_storage', read.list(read.text)),
      userAuthentication: optional(demanded, 'user_authentication', read.list(read.text)),
    },
  }
}
