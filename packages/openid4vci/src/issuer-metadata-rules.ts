/**
 * What an issuer's own metadata must satisfy, beyond what a reader insists on.
 *
 * Owns the start-up checks on the document; those on display data are `display-rules.ts`. A wallet is lenient
 * where nothing depends on it; the maker is not, because strict peers read everything.
 *
 * Source: OpenID4VCI 1.0, section 12.2.4 and Appendices B, C and D.2; HAIP 1.0, sections 4.1 and 4.3.
 *
 * @module
 */
import { configurationError, VerificationError } from '@attache/core'
import { isContentEncryption, isEncryptionKey, type PublicJwk, parsePublicJwk } from '@attache/keys'
import { parseClaimDescriptions } from './claim-descriptions.js'
import type { CredentialConfiguration, ProofTypeRules } from './credential-configuration.js'
import { checkDisplay } from './display-rules.js'
import { isCredentialIssuerIdentifier } from './issuer-identifier.js'
import type {
  IssuerMetadata,
  RequestEncryptionOffer,
  ResponseEncryptionOffer,
} from './issuer-metadata-document.js'

/** The attack potential resistances that ISO 18045 defines (Appendix D.2); other values are somebody's own. */
const ISO_18045 = ['iso_18045_high', 'iso_18045_moderate', 'iso_18045_enhanced-basic', 'iso_18045_basic']

/** RFC 6749, section 3.3: one scope-token. */
const SCOPE_TOKEN = /^[\x21\x23-\x5B\x5D-\x7E]+$/

/**
 * Checks the metadata an issuer is about to publish.
 *
 * @throws {TypeError} `metadata_identifier`, `metadata_encryption`, `metadata_batch`, `metadata_display`,
 *   `metadata_claims`, `metadata_binding`, `metadata_scope`, `metadata_list`: which rule is broken.
 *
 * Source: OpenID4VCI 1.0, section 12.2.4.
 */
export function checkIssuerMetadata(metadata: IssuerMetadata): void {
  if (!isCredentialIssuerIdentifier(metadata.credentialIssuer)) {
    throw configurationError(
      'metadata_identifier',
      'credential_issuer must be an https URL without query and fragment.',
    )
  }
  checkList(metadata.authorizationServers, 'authorization_servers')
  if (
    metadata.batchSize !== undefined &&
    !(Number.isSafeInteger(metadata.batchSize) && metadata.batchSize >= 2)
  ) {
    throw configurationError('metadata_batch', 'batch_size must be an integer of at least 2.')
  }
  checkEncryption(metadata)
  checkDisplay(metadata.display, { name: 'optional' })
  for (const configuration of metadata.credentialConfigurations.values()) checkConfiguration(configuration)
}

/**
 * Checks what HAIP asks for beyond that: scopes to ask by, and nonces where keys are bound.
 *
 * @throws {TypeError} `metadata_haip`.
 *
 * Source: HAIP 1.0, sections 4.1 and 4.3.
 */
export function checkHaipIssuerMetadata(metadata: IssuerMetadata): void {
  const vctOfScope = new Map<string, string>()
  for (const { scope, vct, bindingMethods } of metadata.credentialConfigurations.values()) {
    if (scope === undefined || (vctOfScope.get(scope) ?? vct) !== vct) {
      throw configurationError(
        'metadata_haip',
        'Every configuration needs a scope, and one scope means one vct.',
      )
    }
    vctOfScope.set(scope, vct)
    if (bindingMethods !== undefined && metadata.nonceEndpoint === undefined) {
      throw configurationError('metadata_haip', 'Credentials bound to a key need a nonce_endpoint.')
    }
  }
}

function checkConfiguration(configuration: CredentialConfiguration): void {
  const { bindingMethods, proofTypes, claims, scope } = configuration
  if (configuration.vct === '') throw configurationError('metadata_list', 'A configuration must have a vct.')
  if (scope !== undefined && !SCOPE_TOKEN.test(scope)) {
    throw configurationError('metadata_scope', 'A scope must be a single scope-token.')
  }
  if ((bindingMethods === undefined) !== (proofTypes === undefined)) {
    throw configurationError(
      'metadata_binding',
      'cryptographic_binding_methods_supported and proof_types_supported go together.',
    )
  }
  checkList(bindingMethods, 'cryptographic_binding_methods_supported')
  checkList(configuration.signingAlgorithms, 'credential_signing_alg_values_supported')
  if (proofTypes) {
    const rules = [proofTypes.jwt, proofTypes.attestation].filter((each) => each !== undefined)
    checkList(rules, 'proof_types_supported')
    rules.forEach(checkRules)
  }
  checkDisplay(configuration.display, { name: 'required' })
  if (claims !== undefined) checkClaims(claims)
}

function checkClaims(claims: NonNullable<CredentialConfiguration['claims']>): void {
  if (parseClaimDescriptions(claims) === undefined) {
    throw configurationError('metadata_claims', 'claims must be valid paths, none repeated or contradictory.')
  }
  for (const claim of claims) checkDisplay(claim.display, { name: 'optional' })
}

function checkRules({ signingAlgorithms, keyAttestations }: ProofTypeRules): void {
  checkList(signingAlgorithms, 'proof_signing_alg_values_supported')
  checkList(keyAttestations?.keyStorage, 'key_storage')
  checkList(keyAttestations?.userAuthentication, 'user_authentication')
  const demanded = [...(keyAttestations?.keyStorage ?? []), ...(keyAttestations?.userAuthentication ?? [])]
  if (demanded.some((value) => value.startsWith('iso_18045_') && !ISO_18045.includes(value))) {
    throw configurationError('metadata_list', 'ISO 18045 knows high, moderate, enhanced-basic and basic.')
  }
}

function checkEncryption({ requestEncryption, responseEncryption }: IssuerMetadata): void {
  if (requestEncryption) checkRequestEncryption(requestEncryption)
  if (!responseEncryption) return
  if (!requestEncryption) {
    throw configurationError(
      'metadata_encryption',
      'Response encryption is announced only together with request encryption.',
    )
  }
  checkList(responseEncryption.algValues, 'alg_values_supported')
  if (responseEncryption.algValues.some((alg) => alg !== 'ECDH-ES')) {
    throw configurationError('metadata_encryption', 'Answers are encrypted with ECDH-ES here.')
  }
  checkContentEncryption(responseEncryption)
}

function checkRequestEncryption(request: RequestEncryptionOffer): void {
  checkList(request.jwks, 'jwks')
  if (!request.jwks.every(isPublishable)) {
    throw configurationError(
      'metadata_encryption',
      'A request encryption key is a public P-256 key with kid and alg ECDH-ES.',
    )
  }
  if (new Set(request.jwks.map((jwk) => jwk.kid)).size !== request.jwks.length) {
    throw configurationError('metadata_encryption', 'Every request encryption key needs a kid of its own.')
  }
  checkContentEncryption(request)
}

/** What is announced must be what `message-encryption.ts` does: it neither compresses nor inflates (D-13). */
function checkContentEncryption(offer: RequestEncryptionOffer | ResponseEncryptionOffer): void {
  checkList(offer.encValues, 'enc_values_supported')
  if (!offer.encValues.every(isContentEncryption) || offer.zipValues !== undefined) {
    throw configurationError(
      'metadata_encryption',
      'Messages are encrypted with A128GCM or A256GCM here, without compression.',
    )
  }
}

/** A private member would be published with the rest, so the key goes through the parser of public ones. */
function isPublishable(jwk: PublicJwk): boolean {
  try {
    const parsed = parsePublicJwk(jwk)
    return isEncryptionKey(parsed) && Boolean(parsed.kid)
  } catch (error) {
    if (error instanceof VerificationError) return false
    throw error
  }
}

function checkList(list: readonly unknown[] | undefined, name: string): void {
  if (list !== undefined && list.length === 0) {
    throw configurationError('metadata_list', `${name} must not be empty; leave it out instead.`)
  }
}
