/**
 * Encrypted Credential Requests and Responses: the same members, inside a JWE.
 *
 * Owns both halves of both directions, and the request parameter `credential_response_encryption`. The JWE
 * itself is `@attache/keys`; when encryption is demanded is in the metadata.
 *
 * Source: OpenID4VCI 1.0, sections 8.2, 8.3.1.2, 9.2 and 10; requirements/issuer.md D-10 and D-13.
 *
 * @module
 */
import {
  decodeUtf8,
  type JsonObject,
  type JsonValue,
  member,
  ProtocolError,
  parseJson,
  utf8,
  VerificationError,
} from '@attache/core'
import {
  type ContentEncryption,
  chooseEncryptionKey,
  type DecryptionKey,
  decryptJwe,
  encryptJwe,
  isContentEncryption,
  isEncryptionKey,
  type PublicJwk,
  parsePublicJwk,
} from '@attache/keys'
import type { RequestEncryptionOffer, ResponseEncryptionOffer } from './issuer-metadata-document.js'
import { made, wireObject } from './make-message.js'
import { openMembers, optional, readersFor, refusal, required } from './read-members.js'

/** Media type of an encrypted message. Source: OpenID4VCI 1.0, section 10. */
export const ENCRYPTED_MESSAGE_MEDIA_TYPE = 'application/jwt'

/**
 * How a wallet wants the response encrypted: `credential_response_encryption`.
 *
 * Source: OpenID4VCI 1.0, section 8.2.
 */
export interface ResponseEncryption {
  /** The wallet's key; its `alg` and `kid` go into the header. */
  readonly jwk: PublicJwk
  readonly enc: ContentEncryption
}

const CODE = 'invalid_encryption_parameters'
const read = readersFor(CODE)

/**
 * Makes the request member `credential_response_encryption`.
 *
 * @throws {TypeError} `message_refused`: not a public P-256 key whose `alg` is ECDH-ES.
 *
 * Source: OpenID4VCI 1.0, section 8.2.
 */
export function makeResponseEncryption(encryption: ResponseEncryption): JsonObject {
  const { jwk, enc } = encryption
  const offer = { algValues: ['ECDH-ES'], encValues: [enc], required: true }
  return made({ jwk: wireObject({ ...jwk }), enc }, (wire) => parseResponseEncryption(wire, offer))
}

/**
 * Reads the request member against what the issuer offers. A `zip` is not announced and not followed.
 *
 * @param value The member as received; undefined when the request has none.
 * @returns Undefined when the answer is to be plain.
 * @throws {ProtocolError} `invalid_encryption_parameters`: required and missing, not offered, or a key or
 *   algorithm that is not supported.
 *
 * Source: OpenID4VCI 1.0, sections 8.2 and 8.3.1.2.
 */
export function parseResponseEncryption(
  value: JsonValue | undefined,
  offer: ResponseEncryptionOffer | undefined,
): ResponseEncryption | undefined {
  if (value === undefined) {
    if (offer?.required !== true) return undefined
    throw new ProtocolError(CODE, 'This issuer encrypts its answers. Send credential_response_encryption.')
  }
  if (offer === undefined) throw new ProtocolError(CODE, 'This issuer does not encrypt its answers.')
  const from = openMembers(value, 'credential_response_encryption', CODE)
  const jwk = encryptionKey(required(from, 'jwk', (jwk) => jwk))
  if (jwk?.alg === undefined || !offer.algValues.includes(jwk.alg)) {
    throw refusal(from, 'jwk', 'must be a public key with a supported alg.')
  }
  const enc = required(from, 'enc', read.text)
  optional(from, 'zip', read.text)
  if (!isContentEncryption(enc) || !offer.encValues.includes(enc)) {
    throw refusal(from, 'enc', 'must be one of enc_values_supported.')
  }
  return { jwk, enc }
}

/**
 * Encrypts the body of a Credential Response.
 *
 * Source: OpenID4VCI 1.0, section 10.
 */
export function encryptCredentialResponse(body: JsonObject, encryption: ResponseEncryption): Promise<string> {
  return encryptJwe(utf8(JSON.stringify(body)), encryption)
}

/**
 * Decrypts a Credential Response (the wallet's half).
 *
 * @throws {ProtocolError} `response`: it was not encrypted to this key as asked, or holds no JSON.
 *
 * Source: OpenID4VCI 1.0, section 10.
 */
export function decryptCredentialResponse(
  text: string,
  expected: { readonly key: DecryptionKey; readonly enc: ContentEncryption },
): Promise<JsonValue> {
  return decryptMessage(text, {
    keys: [expected.key],
    encs: [expected.enc],
    kid: 'optional',
    code: 'response',
  })
}

/**
 * Encrypts the body of a Credential Request to the first usable key of the issuer (the wallet's half).
 *
 * @throws {ProtocolError} `encryption`: the issuer publishes no key or encryption that is usable here.
 *
 * Source: OpenID4VCI 1.0, section 10.
 */
export async function encryptCredentialRequest(
  body: JsonObject,
  offer: RequestEncryptionOffer,
): Promise<string> {
  const chosen = chooseEncryptionKey(
    { keys: offer.jwks.map((jwk) => wireObject({ ...jwk })) },
    offer.encValues,
  )
  if (chosen === undefined) {
    throw new ProtocolError('encryption', 'The issuer publishes no encryption key that is usable here.')
  }
  return encryptJwe(utf8(JSON.stringify(body)), chosen)
}

/**
 * Decrypts a Credential Request.
 *
 * @throws {ProtocolError} `invalid_credential_request`: not encrypted to a published key with a published
 *   algorithm, compressed, larger than 256 KiB, or no JSON inside.
 *
 * Source: OpenID4VCI 1.0, section 10.
 */
export function decryptCredentialRequest(
  text: string,
  expected: { readonly keys: readonly DecryptionKey[]; readonly encs: readonly ContentEncryption[] },
): Promise<JsonValue> {
  return decryptMessage(text, { ...expected, kid: 'required', code: 'invalid_credential_request' })
}

async function decryptMessage(
  text: string,
  expected: {
    readonly keys: readonly DecryptionKey[]
    readonly encs: readonly ContentEncryption[]
    readonly kid: 'required' | 'optional'
    readonly code: string
  },
): Promise<JsonValue> {
  try {
    const { plaintext, header } = await decryptJwe(text, expected)
    // The published keys have a kid each, and a sender names the one it used.
    if (member(header, 'kid') === undefined && expected.kid === 'required') {
      throw new ProtocolError(expected.code, 'Name the key in the kid of the JWE header.')
    }
    const parsed = parseJson(decodeUtf8(plaintext) ?? '')
    if (parsed.ok) return parsed.value
  } catch (cause) {
    if (!(cause instanceof VerificationError)) throw cause
    throw new ProtocolError(expected.code, 'The encrypted message does not open. See the published keys.', {
      cause,
    })
  }
  throw new ProtocolError(expected.code, 'The encrypted message does not hold JSON.')
}

function encryptionKey(value: JsonValue): PublicJwk | undefined {
  try {
    const jwk = parsePublicJwk(value)
    return isEncryptionKey(jwk) ? jwk : undefined
  } catch (error) {
    if (error instanceof VerificationError) return undefined
    throw error
  }
}
