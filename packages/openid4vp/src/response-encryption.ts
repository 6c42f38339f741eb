/**
 * Encrypted responses: a JWE whose plaintext holds the response parameters.
 *
 * Owns both halves: choosing the verifier's key and encrypting (wallet), reading (verifier). Encryption
 * authenticates nobody; every other check still runs.
 *
 * Source: OpenID4VP 1.0, section 8.3; HAIP 1.0, section 5.
 *
 * @module
 */
import {
  decodeBase64url,
  decodeUtf8,
  isJsonObject,
  type JsonObject,
  member,
  ProtocolError,
  parseJson,
  utf8,
  VerificationError,
} from '@attache/core'
import { type DecryptionKey, decryptJwe, encryptJwe, type PublicJwk } from '@attache/keys'
import type { ClientMetadata } from './client-metadata.js'

/** Content encryption algorithms used here. */
export type ResponseEnc = 'A128GCM' | 'A256GCM'

const ENCS: readonly ResponseEnc[] = ['A256GCM', 'A128GCM']

/**
 * Chooses the key and content encryption for a response; A256GCM where the verifier takes it.
 *
 * @throws {ProtocolError} `invalid_request`: no usable key or no common `enc`; may be sent in the clear.
 *
 * Source: OpenID4VP 1.0, sections 5.1 and 8.3.
 */
export function chooseResponseEncryption(metadata: ClientMetadata | undefined): {
  readonly jwk: PublicJwk
  readonly enc: ResponseEnc
} {
  const jwk = metadata?.encryptionKeys.find(({ kty, crv, alg }) => {
    return kty === 'EC' && crv === 'P-256' && alg === 'ECDH-ES'
  })
  if (jwk === undefined) {
    throw new ProtocolError(
      'invalid_request',
      'client_metadata has no usable encryption key. Send a P-256 key.',
    )
  }
  const offered = metadata?.encryptedResponseEncs ?? ['A128GCM']
  const enc = ENCS.find((known) => offered.includes(known))
  if (enc === undefined) {
    throw new ProtocolError('invalid_request', 'No content encryption in common. Offer A128GCM or A256GCM.')
  }
  return { jwk, enc }
}

/**
 * Encrypts response parameters to a verifier.
 *
 * @returns Compact JWE; header members `alg`, `enc`, `kid` and `epk`.
 *
 * Source: OpenID4VP 1.0, section 8.3.
 */
export function encryptResponse(
  parameters: JsonObject,
  metadata: ClientMetadata | undefined,
): Promise<string> {
  return encryptJwe(utf8(JSON.stringify(parameters)), chooseResponseEncryption(metadata))
}

/**
 * Decrypts a response.
 *
 * @param expected.keys The keys of this one transaction, chosen by `kid`.
 * @param expected.encs Exactly the list that was sent as `encrypted_response_enc_values_supported`.
 * @returns The response parameters, still unjudged.
 * @throws {VerificationError} `jwe_header_rejected`, `decryption_failed`, `response_malformed`.
 *
 * Source: OpenID4VP 1.0, section 8.3.
 */
export async function decryptResponse(
  jwe: string,
  expected: { readonly keys: readonly DecryptionKey[]; readonly encs: readonly ResponseEnc[] },
): Promise<JsonObject> {
  checkHeader(jwe, expected.encs)
  let plaintext: Uint8Array
  try {
    plaintext = (await decryptJwe(jwe, expected)).plaintext
  } catch (cause) {
    throw new VerificationError('decryption_failed', 'The response cannot be decrypted.', { cause })
  }
  const text = decodeUtf8(plaintext)
  const parsed = text === undefined ? undefined : parseJson(text)
  if (parsed?.ok !== true || !isJsonObject(parsed.value)) {
    throw new VerificationError('response_malformed', 'The decrypted response is no JSON object.')
  }
  return parsed.value
}

// Before any key is touched: only what was announced, and nothing that changes how the rest is read.
function checkHeader(jwe: string, encs: readonly ResponseEnc[]): void {
  const bytes = decodeBase64url(jwe.slice(0, Math.max(jwe.indexOf('.'), 0)))
  const text = bytes === undefined ? undefined : decodeUtf8(bytes)
  const parsed = text === undefined ? undefined : parseJson(text)
  if (parsed?.ok !== true || !isJsonObject(parsed.value)) {
    throw new VerificationError('decryption_failed', 'The response is no compact JWE.')
  }
  const header = parsed.value
  if (typeof member(header, 'kid') !== 'string') {
    throw new VerificationError('decryption_failed', 'The response names no key.')
  }
  const enc = member(header, 'enc')
  const cty = member(header, 'cty')
  const accepted =
    member(header, 'alg') === 'ECDH-ES' &&
    encs.some((known) => known === enc) &&
    !Object.hasOwn(header, 'zip') &&
    !Object.hasOwn(header, 'crit') &&
    (cty === undefined || cty === 'json')
  if (!accepted)
    throw new VerificationError('jwe_header_rejected', 'The response is encrypted otherwise than asked.')
}
