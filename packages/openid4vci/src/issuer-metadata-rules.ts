/**
 * What an issuer's own metadata must satisfy, beyond what a reader insists on.
 *
 * Owns the start-up checks on the document. A wallet is lenient where nothing depends on it (display); the
 * maker is not, because strict peers read everything.
 *
 * Source: OpenID4VCI 1.0, section 12.2.4 and Appendices B, C and D.2; HAIP 1.0, section 4.1.
 *
 * @module
 */
import { configurationError } from '@attache/core'
import { parseClaimDescriptions } from './claim-descriptions.js'
import type { CredentialConfiguration, ProofTypeRules } from './credential-configuration.js'
import type { Display } from './display.js'
import { isCredentialIssuerIdentifier } from './issuer-identifier.js'
import type { IssuerMetadata } from './issuer-metadata-document.js'

/**
 * Checks the metadata an issuer is about to publish.
 *
 * @throws {TypeError} `metadata_identifier`, `metadata_encryption`, `metadata_batch`, `metadata_display`,
 *   `metadata_claims`, `metadata_binding`, `metadata_list`: which rule is broken.
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
  checkDisplay(metadata.display, false)
  for (const configuration of metadata.credentialConfigurations.values()) checkConfiguration(configuration)
}

function checkConfiguration(configuration: CredentialConfiguration): void {
  const { bindingMethods, proofTypes, claims } = configuration
  if (configuration.vct === '') throw configurationError('metadata_list', 'A configuration must have a vct.')
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
  checkDisplay(configuration.display, true)
  if (claims !== undefined) checkClaims(claims)
}

function checkClaims(claims: NonNullable<CredentialConfiguration['claims']>): void {
  if (parseClaimDescriptions(claims) === undefined) {
    throw configurationError('metadata_claims', 'claims must be valid paths, none repeated or contradictory.')
  }
  for (const claim of claims) checkDisplay(claim.display, false)
}

function checkRules(rules: ProofTypeRules): void {
  checkList(rules.signingAlgorithms, 'proof_signing_alg_values_supported')
  checkList(rules.keyAttestations?.keyStorage, 'key_storage')
  checkList(rules.keyAttestations?.userAuthentication, 'user_authentication')
}

function checkEncryption(metadata: IssuerMetadata): void {
  const { requestEncryption: request, responseEncryption: response } = metadata
  if (response && !request) {
    throw configurationError(
      'metadata_encryption',
      'Response encryption is announced only together with request encryption.',
    )
  }
  if (request) {
    const kids = request.jwks.map((jwk) => jwk.kid)
    if (kids.some((kid) => kid === undefined) || new Set(kids).size !== kids.length) {
      throw configurationError('metadata_encryption', 'Every request encryption key needs a kid of its own.')
    }
    if (request.jwks.some((jwk) => jwk.alg === undefined)) {
      throw configurationError('metadata_encryption', 'Every request encryption key needs an alg.')
    }
    checkList(request.jwks, 'jwks')
    checkList(request.encValues, 'enc_values_supported')
    checkList(request.zipValues, 'zip_values_supported')
  }
  if (response) {
    checkList(response.algValues, 'alg_values_supported')
    checkList(response.encValues, 'enc_values_supported')
    checkList(response.zipValues, 'zip_values_supported')
  }
}

function checkDisplay(display: readonly Display[] | undefined, nameRequired: boolean): void {
  if (display === undefined) return
  checkList(display, 'display')
  const locales = display.map((entry) => entry.locale)
  if (new Set(locales).size !== locales.length) {
    throw configurationError('metadata_display', 'display must have one entry per locale.')
  }
  for (const entry of display) {
    if (nameRequired && entry.name === undefined) {
      throw configurationError('metadata_display', 'The display of a credential must have a name.')
    }
    if (entry.locale !== undefined && !isCanonicalLocale(entry.locale)) {
      throw configurationError('metadata_display', 'A locale must be a BCP 47 tag in its canonical case.')
    }
    for (const colour of [entry.backgroundColor, entry.textColor]) {
      if (colour !== undefined && !isCssColour(colour)) {
        throw configurationError('metadata_display', 'A colour must be a CSS Color Module Level 3 value.')
      }
    }
  }
}

function checkList(list: readonly unknown[] | undefined, name: string): void {
  if (list !== undefined && list.length === 0) {
    throw configurationError('metadata_list', `${name} must not be empty; leave it out instead.`)
  }
}

function isCanonicalLocale(locale: string): boolean {
  try {
    return Intl.getCanonicalLocales(locale)[0] === locale
  } catch {
    return false
  }
}

/** Hexadecimal, functional or named. Names are checked by shape: there are 147 and a wrong one harms nobody. */
function isCssColour(colour: string): boolean {
  return /^(#[0-9a-f]{3}|#[0-9a-f]{6}|(rgb|hsl)a?\([0-9.,%\s]+\)|[a-z]+)$/i.test(colour)
}
