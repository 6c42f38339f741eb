/**
 * Compact JWE with ECDH-ES, both halves: messages of the wire that only their receiver may read.
 *
 * Decryption authenticates nobody: whoever knows our public key can write such a message. Lengths and header
 * are judged here before any key is touched; agreement and encryption are the library's. It is several times
 * slower than the same over `node:crypto` (1,600 against 7,700 decryptions a second on one core), which one
 * message for each presentation can afford; its laxness with padding and white space cannot be reached behind the guards.
 *
 * Source: RFC 7516, sections 3, 4.1 and 7.1; RFC 7518, sections 4.6 and 5.3; OpenID4VP 1.0, section 8.3.
 *
 * @module
 */
import {
  decodeBase64url,
  decodeUtf8,
  isJsonObject,
  type JsonObject,
  member,
  parseJson,
  type VerificationError,
} from '@attache/core'
import { CompactEncrypt, compactDecrypt, errors } from 'jose'
import { type DecryptionKey, isEncryptionKey } from './decryption-key.js'
import { misconfiguration, refusal } from './error-codes.js'
import { type ContentEncryption, isContentEncryption } from './jwe-content.js'
import { type PublicJwk, parsePublicJwk, publicKeyObject } from './jwk.js'

/** Whom a message is for, and how it is to be encrypted. */
export interface JweRecipient {
  /** Its `alg` and `kid` are copied into the header. */
  readonly jwk: PublicJwk
  readonly enc: ContentEncryption
  /** Agreement party info, base64url, where a profile asks for it. */
  readonly apu?: string
  readonly apv?: string
  readonly cty?: string
  readonly typ?: string
  /** Only where the recipient announced it. */
  readonly zip?: 'DEF'
}

const DEFAULT_MAX_BYTES = 262_144
const MAX_HEADER_CHARACTERS = 4096
const NONCE_BYTES = 12
const TAG_BYTES = 16

/**
 * Encrypts a message.
 *
 * @throws {TypeError} `encryption_key_refused`: the key is not one that `chooseEncryptionKey` would choose.
 *
 * Source: RFC 7516, section 5.1; RFC 7518, section 4.6.
 */
export async function encryptJwe(plaintext: Uint8Array, recipient: JweRecipient): Promise<string> {
  const { jwk } = recipient
  if (!isEncryptionKey(jwk)) {
    throw misconfiguration('encryption_key_refused', 'Encrypt to a P-256 key whose alg is ECDH-ES.')
  }
  const [apu, apv] = [partyInfo(recipient, 'apu'), partyInfo(recipient, 'apv')]
  return new CompactEncrypt(plaintext)
    .setProtectedHeader(protectedHeader(recipient))
    .setKeyManagementParameters({ ...(apu && { apu }), ...(apv && { apv }) })
    .encrypt(publicKeyObject(jwk))
}

/**
 * Decrypts a message sent to one of our keys.
 *
 * @param expected.keys Our keys. Without `kid` in the header, a single key is taken; among several, none.
 * @param expected.encs Accepted `enc` values.
 * @param expected.maxBytes Greatest length of the text and of the plaintext. @default 262144
 * @param expected.allowDeflate Whether `zip` `DEF` was announced. @default false
 * @throws {VerificationError} `jwe_too_large`, `jwe_malformed`, `jwe_header_rejected` (algorithm, encryption,
 *   compression, extension or ephemeral key not accepted), `jwe_key_unknown`, `jwe_decryption_failed`.
 *
 * Source: RFC 7516, section 5.2; RFC 7518, section 4.6; OpenID4VP 1.0, section 8.3.
 */
export async function decryptJwe(
  text: string,
  expected: {
    keys: readonly DecryptionKey[]
    encs: readonly ContentEncryption[]
    maxBytes?: number
    allowDeflate?: boolean
  },
): Promise<{ plaintext: Uint8Array; header: JsonObject }> {
  const maxBytes = expected.maxBytes ?? DEFAULT_MAX_BYTES
  if (text.length > maxBytes) throw tooLarge()
  const header = parseHeader(text)
  requireHeader(header, expected)
  requireEphemeralKey(header)
  const recipient = recipientKey(header, expected.keys)
  try {
    const { plaintext } = await compactDecrypt(text, recipient.keyObject, {
      keyManagementAlgorithms: ['ECDH-ES'],
      contentEncryptionAlgorithms: [...expected.encs],
      maxDecompressedLength: expected.allowDeflate === true ? maxBytes : 0,
    })
    return { plaintext, header }
  } catch (cause) {
    throw refusalOf(cause)
  }
}

// What is left to go wrong once the header was judged: the tag, or what the compressed content becomes.
function refusalOf(cause: unknown): unknown {
  if (!(cause instanceof errors.JOSEError)) return cause
  if (cause instanceof errors.JWEDecryptionFailed) {
    return refusal('jwe_decryption_failed', 'The message could not be decrypted.', { cause })
  }
  return /decompressed/i.test(cause.message) ? tooLarge() : malformed()
}

function protectedHeader({ jwk, enc, cty, typ, zip }: JweRecipient) {
  return {
    alg: 'ECDH-ES',
    enc,
    ...(jwk.kid === undefined ? {} : { kid: jwk.kid }),
    ...(typ === undefined ? {} : { typ }),
    ...(cty === undefined ? {} : { cty }),
    ...(zip === undefined ? {} : { zip }),
  }
}

/** The header of a message whose segments are sound: direct agreement, AES-GCM, strict base64url. */
function parseHeader(text: string): JsonObject {
  const segments = text.split('.', 6)
  const [associated = '', encryptedKey, ...rest] = segments
  const [nonce, ciphertext, tag] = rest.map(decodeBase64url)
  // Direct agreement wraps no key, so the second segment is empty (RFC 7516, section 5.1, step 6).
  const sound = segments.length === 5 && encryptedKey === '' && associated.length <= MAX_HEADER_CHARACTERS
  if (!sound || nonce?.length !== NONCE_BYTES || tag?.length !== TAG_BYTES) throw malformed()
  if (ciphertext === undefined) throw malformed()

  const headerBytes = decodeBase64url(associated)
  const headerText = headerBytes === undefined ? undefined : decodeUtf8(headerBytes)
  const parsed = headerText === undefined ? undefined : parseJson(headerText)
  if (parsed?.ok !== true || !isJsonObject(parsed.value)) throw malformed()
  return parsed.value
}

function requireHeader(
  header: JsonObject,
  expected: { encs: readonly ContentEncryption[]; allowDeflate?: boolean },
): void {
  const [alg, enc, zip] = [member(header, 'alg'), member(header, 'enc'), member(header, 'zip')]
  const zipAccepted = zip === undefined || (zip === 'DEF' && expected.allowDeflate === true)
  if (alg !== 'ECDH-ES' || !isContentEncryption(enc) || !expected.encs.includes(enc) || !zipAccepted) {
    throw headerRejected('The message is encrypted or compressed in a way that was not offered.')
  }
  if (Object.hasOwn(header, 'crit'))
    throw headerRejected('The message demands an extension not supported here.')
  for (const name of ['apu', 'apv'] as const) partyInfo(header, name)
}

function recipientKey(header: JsonObject, keys: readonly DecryptionKey[]): DecryptionKey {
  const kid = member(header, 'kid')
  const [only, ...others] = kid === undefined ? keys : keys.filter((key) => key.kid === kid)
  if (only !== undefined && others.length === 0) return only
  throw refusal('jwe_key_unknown', 'The message names no key of ours. Fetch our keys again.')
}

/** `parsePublicJwk` makes sure that the point lies on the curve: an invalid one could draw out our key. */
function requireEphemeralKey(header: JsonObject): void {
  const epk = member(header, 'epk')
  try {
    const { crv } = parsePublicJwk(epk)
    if (crv === 'P-256' && hasSoundOperations(epk)) return
  } catch (cause) {
    throw headerRejected('The ephemeral key of the message is not a public EC key.', cause)
  }
  throw headerRejected('The ephemeral key of the message lies on another curve than ours, or is malformed.')
}

/** The one member we do not use that the library's import judges, by a `TypeError` (RFC 7517, section 4.3). */
function hasSoundOperations(jwk: unknown): boolean {
  const operations: unknown = isJsonObject(jwk) ? member(jwk, 'key_ops') : undefined
  if (operations === undefined) return true
  if (!Array.isArray(operations) || new Set(operations).size !== operations.length) return false
  return operations.every((operation) => typeof operation === 'string')
}

function partyInfo(
  source: { readonly apu?: unknown; readonly apv?: unknown },
  name: 'apu' | 'apv',
): Uint8Array | undefined {
  const text = source[name]
  if (text === undefined) return undefined
  const bytes = typeof text === 'string' ? decodeBase64url(text) : undefined
  if (bytes === undefined) throw headerRejected(`The header member ${name} is not base64url.`)
  return bytes
}

function headerRejected(message: string, cause?: unknown): VerificationError {
  return refusal('jwe_header_rejected', message, cause === undefined ? {} : { cause })
}

function malformed(): VerificationError {
  return refusal('jwe_malformed', 'The message is not a compact JWE with a direct key agreement.')
}

function tooLarge(): VerificationError {
  return refusal('jwe_too_large', 'The encrypted message is longer than accepted here.')
}
