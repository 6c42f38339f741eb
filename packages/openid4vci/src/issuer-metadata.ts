/**
 * Credential Issuer Metadata, the unsigned form.
 *
 * Owns both halves of the document. The signed form is `signed-metadata.ts`, the URL `issuer-identifier.ts`,
 * and what a maker is held to beyond the reader's rules `issuer-metadata-rules.ts`.
 *
 * Source: OpenID4VCI 1.0, section 12.2.4.
 *
 * @module
 */
import { type JsonObject, type JsonValue, member, ProtocolError, VerificationError } from '@attache/core'
import { type PublicJwk, parseJwks } from '@attache/keys'
import {
  type CredentialConfiguration,
  parseConfiguration,
  SD_JWT_VC_FORMAT,
  wireConfiguration,
} from './credential-configuration.js'
import { parseDisplay, wireDisplay } from './display.js'
import { isCredentialIssuerIdentifier } from './issuer-identifier.js'
import type {
  IssuerMetadata,
  RequestEncryptionOffer,
  ResponseEncryptionOffer,
} from './issuer-metadata-document.js'
import { checkIssuerMetadata } from './issuer-metadata-rules.js'
import { made, wireObject } from './make-message.js'
import { type Members, openMembers, optional, readersFor, refusal, required } from './read-members.js'

const read = readersFor('metadata')

/**
 * Makes the document.
 *
 * @throws {TypeError} `message_refused`, or a code of `checkIssuerMetadata`: the metadata break a rule.
 *
 * Source: OpenID4VCI 1.0, section 12.2.4.
 */
export function makeIssuerMetadata(metadata: IssuerMetadata): JsonObject {
  checkIssuerMetadata(metadata)
  const { requestEncryption, responseEncryption, display } = metadata
  const wire = wireObject({
    credential_issuer: metadata.credentialIssuer,
    authorization_servers: metadata.authorizationServers,
    credential_endpoint: metadata.credentialEndpoint,
    nonce_endpoint: metadata.nonceEndpoint,
    deferred_credential_endpoint: metadata.deferredCredentialEndpoint,
    notification_endpoint: metadata.notificationEndpoint,
    batch_credential_issuance:
      metadata.batchSize === undefined ? undefined : { batch_size: metadata.batchSize },
    credential_request_encryption: requestEncryption && wireRequestEncryption(requestEncryption),
    credential_response_encryption:
      responseEncryption &&
      wireObject({
        alg_values_supported: responseEncryption.algValues,
        enc_values_supported: responseEncryption.encValues,
        zip_values_supported: responseEncryption.zipValues,
        encryption_required: responseEncryption.required,
      }),
    display: display && wireDisplay(display),
    credential_configurations_supported: Object.fromEntries(
      [...metadata.credentialConfigurations].map(([id, entry]) => [id, wireConfiguration(entry)]),
    ),
  })
  return made(wire, (made) => parseIssuerMetadata(made, metadata))
}

/**
 * Reads the document. Unknown members and configurations of other formats are ignored.
 *
 * @param value The parsed JSON.
 * @param expected.credentialIssuer The identifier from which the URL was built; compared character by
 *   character.
 * @throws {ProtocolError} `issuer_mismatch`: the document speaks of another issuer. `metadata`: a member is
 *   missing or malformed.
 *
 * Source: OpenID4VCI 1.0, section 12.2.4.
 */
export function parseIssuerMetadata(
  value: unknown,
  expected: { readonly credentialIssuer: string },
): IssuerMetadata {
  const from = openMembers(value, '', 'metadata')
  const credentialIssuer = required(from, 'credential_issuer', read.text)
  if (credentialIssuer !== expected.credentialIssuer) {
    throw new ProtocolError('issuer_mismatch', 'The metadata speak of another credential issuer.')
  }
  if (!isCredentialIssuerIdentifier(credentialIssuer)) {
    throw refusal(from, 'credential_issuer', 'must be an https URL without query and fragment.')
  }
  const batch = optional(from, 'batch_credential_issuance', read.object)
  return {
    credentialIssuer,
    authorizationServers: optional(from, 'authorization_servers', read.list(read.httpsUrl)),
    credentialEndpoint: required(from, 'credential_endpoint', read.httpsUrl),
    nonceEndpoint: optional(from, 'nonce_endpoint', read.httpsUrl),
    deferredCredentialEndpoint: optional(from, 'deferred_credential_endpoint', read.httpsUrl),
    notificationEndpoint: optional(from, 'notification_endpoint', read.httpsUrl),
    batchSize: batch && required(batch, 'batch_size', read.integer(2)),
    requestEncryption: optional(from, 'credential_request_encryption', parseRequestEncryption),
    responseEncryption: optional(from, 'credential_response_encryption', parseResponseEncryptionOffer),
    display: parseDisplay(member(from.object, 'display')),
    credentialConfigurations: parseConfigurations(
      required(from, 'credential_configurations_supported', read.object),
    ),
  }
}

function parseConfigurations(from: Members): ReadonlyMap<string, CredentialConfiguration> {
  const known = new Map<string, CredentialConfiguration>()
  for (const [id] of Object.entries(from.object)) {
    const entry = required(from, id, read.object)
    if (required(entry, 'format', read.text) === SD_JWT_VC_FORMAT) known.set(id, parseConfiguration(entry))
  }
  return known
}

function wireRequestEncryption(offer: RequestEncryptionOffer): JsonObject {
  return wireObject({
    jwks: { keys: offer.jwks.map((jwk) => wireObject({ ...jwk })) },
    enc_values_supported: offer.encValues,
    zip_values_supported: offer.zipValues,
    encryption_required: offer.required,
  })
}

function parseRequestEncryption(value: JsonValue, path: string): RequestEncryptionOffer {
  const from = openMembers(value, path, 'metadata')
  return {
    jwks: required(from, 'jwks', parseKeySet),
    encValues: required(from, 'enc_values_supported', read.list(read.text)),
    zipValues: optional(from, 'zip_values_supported', read.list(read.text)),
    required: required(from, 'encryption_required', read.boolean),
  }
}

// A key without `kid` or `alg` cannot be named in a JWE header, so it is passed over like one of unknown kind.
// When none is left, encrypting fails, not reading: whoever needs no encryption needs no key.
function parseKeySet(value: JsonValue, path: string): readonly PublicJwk[] {
  try {
    return parseJwks(value).filter((jwk) => jwk.kid && jwk.alg)
  } catch (cause) {
    if (!(cause instanceof VerificationError)) throw cause
    throw new ProtocolError('metadata', `${path} must be a JWK Set.`, { cause })
  }
}

function parseResponseEncryptionOffer(value: JsonValue, path: string): ResponseEncryptionOffer {
  const from = openMembers(value, path, 'metadata')
  return {
    algValues: required(from, 'alg_values_supported', read.list(read.text)),
    encValues: required(from, 'enc_values_supported', read.list(read.text)),
    zipValues: optional(from, 'zip_values_supported', read.list(read.text)),
    required: required(from, 'encryption_required', read.boolean),
  }
}
