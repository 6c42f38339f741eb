/**
 * Compact JWE with ECDH-ES, both halves: messages of the wire that only their receiver may read.
 *
 * Decryption authenticates nobody: whoever knows our public key can write such a message. Lengths and header
 * are judged before any key is touched.
 *
 * Source: RFC 7516, sections 3, 4.1 and 7.1; RFC 7518, sections 4.6 and 5.3; OpenID4VP 1.0, section 8.3.
 *
 * @module
 */
import { generateKeyPairSync, type JsonWebKey, randomBytes } from 'node:crypto'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import {
  decodeBase64url,
  decodeUtf8,
  encodeBase64url,
  isJsonObject,
  type JsonObject,
  member,
  parseJson,
  utf8,
  type VerificationError,
} from '@attache/core'
import { decryptAead, encryptAead, NONCE_BYTES, TAG_BYTES } from './aead.js'
import { type DecryptionKey, isEncryptionKey } from './decryption-key.js'
import { misconfiguration, refusal } from './error-codes.js'
import { agreeOnKey, type ContentEncryption, isContentEncryption } from './jwe-content.js'
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

/**
 * Encrypts a message.
 *
 * @throws {TypeError} `encryption_key_refused`: the key is not one that `chooseEncryptionKey` would choose.
 *
 * Source: RFC 7516, section 5.1; RFC 7518, section 4.6.
 */
export async function encryptJwe(plaintext: Uint8Array, recipient: JweRecipient): Promise<string> {
  const { jwk, enc, zip } = recipient
  if (!isEncryptionKey(jwk)) {
    throw misconfiguration('encryption_key_refused', 'Encrypt to a P-256 key whose alg is ECDH-ES.')
  }
  const ephemeral = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const header = protectedHeader(recipient, ephemeral.publicKey.export({ format: 'jwk' }))
  const associated = encodeBase64url(utf8(JSON.stringify(header)))
  const key = agreeOnKey({
    privateKey: ephemeral.privateKey,
    publicKey: publicKeyObject(jwk),
    enc,
    partyUInfo: partyInfo(header, 'apu'),
    partyVInfo: partyInfo(header, 'apv'),
  })
  // The key is new for each message, so any nonce is unique under it.
  const nonce = new Uint8Array(randomBytes(NONCE_BYTES))
  const content = zip === 'DEF' ? deflateRawSync(plaintext) : plaintext
  const sealed = encryptAead(content, { key, nonce, associatedData: utf8(associated) })
  const [ciphertext, tag] = [sealed.subarray(0, -TAG_BYTES), sealed.subarray(-TAG_BYTES)]
  return [associated, '', ...[nonce, ciphertext, tag].map(encodeBase64url)].join('.')
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
  const { associated, header, nonce, sealed } = parseCompact(text)
  const enc = requireHeader(header, expected)
  const recipient = recipientKey(header, expected.keys)
  const key = agreeOnKey({
    privateKey: recipient.keyObject,
    publicKey: publicKeyObject(ephemeralKey(header)),
    enc,
    partyUInfo: partyInfo(header, 'apu'),
    partyVInfo: partyInfo(header, 'apv'),
  })
  const content = decryptAead(sealed, { key, nonce, associatedData: utf8(associated) })
  if (content === undefined) {
    throw refusal('jwe_decryption_failed', 'The message could not be decrypted.')
  }
  return { plaintext: Object.hasOwn(header, 'zip') ? inflate(content, maxBytes) : content, header }
}

function protectedHeader({ jwk, enc, apu, apv, cty, typ, zip }: JweRecipient, epk: JsonWebKey): JsonObject {
  return {
    alg: 'ECDH-ES',
    enc,
    ...(jwk.kid === undefined ? {} : { kid: jwk.kid }),
    ...(typ === undefined ? {} : { typ }),
    ...(cty === undefined ? {} : { cty }),
    ...(zip === undefined ? {} : { zip }),
    ...(apu === undefined ? {} : { apu }),
    ...(apv === undefined ? {} : { apv }),
    epk: { kty: 'EC', crv: 'P-256', x: epk.x ?? '', y: epk.y ?? '' },
  }
}

function parseCompact(text: string) {
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
  return { associated, header: parsed.value, nonce, sealed: Buffer.concat([ciphertext, tag]) }
}

function requireHeader(
  header: JsonObject,
  expected: { encs: readonly ContentEncryption[]; allowDeflate?: boolean },
): ContentEncryption {
  const [alg, enc, zip] = [member(header, 'alg'), member(header, 'enc'), member(header, 'zip')]
  const zipAccepted = zip === undefined || (zip === 'DEF' && expected.allowDeflate === true)
  if (alg !== 'ECDH-ES' || !isContentEncryption(enc) || !expected.encs.includes(enc) || !zipAccepted) {
    throw headerRejected('The message is encrypted or compressed in a way that was not offered.')
  }
  if (Object.hasOwn(header, 'crit'))
    throw headerRejected('The message demands an extension not supported here.')
  return enc
}

function recipientKey(header: JsonObject, keys: readonly DecryptionKey[]): DecryptionKey {
  const kid = member(header, 'kid')
  const [only, ...others] = kid === undefined ? keys : keys.filter((key) => key.kid === kid)
  if (only !== undefined && others.length === 0) return only
  throw refusal('jwe_key_unknown', 'The message names no key of ours. Fetch our keys again.')
}

/** `parsePublicJwk` makes sure that the point lies on the curve: an invalid one could draw out our key. */
function ephemeralKey(header: JsonObject): PublicJwk {
  try {
    const epk = parsePublicJwk(member(header, 'epk'))
    if (epk.crv === 'P-256') return epk
  } catch (cause) {
    throw headerRejected('The ephemeral key of the message is not a public EC key.', cause)
  }
  throw headerRejected('The ephemeral key of the message lies on another curve than ours.')
}

function partyInfo(header: JsonObject, name: 'apu' | 'apv'): Uint8Array {
  const text = member(header, name)
  if (text === undefined) return new Uint8Array()
  const bytes = typeof text === 'string' ? decodeBase64url(text) : undefined
  if (bytes === undefined) throw headerRejected(`The header member ${name} is not base64url.`)
  return bytes
}

function inflate(content: Uint8Array, maxBytes: number): Uint8Array {
  try {
    return inflateRawSync(content, { maxOutputLength: maxBytes })
  } catch (error) {
    if (error instanceof RangeError) throw tooLarge()
    throw malformed()
  }
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
