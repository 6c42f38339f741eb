/**
 * Public JWKs: parsed strictly, never with a private member, each imported into `node:crypto` once.
 *
 * Importing a JWK costs more than verifying a signature with it, so the imported key stays with the JWK
 * object: a `WeakMap` keyed by object identity, which empties itself as the objects go. Whoever sees the
 * same key in many messages keeps one object for it (`createKeyPool`).
 * Private JWKs belong to `private-jwk.ts`; sets of keys to `jwks.ts`.
 *
 * Source: RFC 7517, section 4; RFC 7518, section 6; RFC 8037, section 2; RFC 8725, sections 3.4 and 3.5.
 *
 * @module
 */
import { createPublicKey, type KeyObject } from 'node:crypto'
import { decodeBase64url, isJsonObject, type JsonObject, member, type VerificationError } from '@attache/core'
import { refusal } from './error-codes.js'

/** A public key. A type alias, so that it can stand wherever a JSON object is wanted. */
export type PublicJwk = {
  readonly kty: 'EC' | 'OKP' | 'RSA'
  readonly crv?: string
  readonly x?: string
  readonly y?: string
  readonly n?: string
  readonly e?: string
  readonly kid?: string
  readonly alg?: string
  readonly use?: string
}

/** Members that exist only in private or secret keys. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'] as const

/** Bytes of one coordinate. X25519 and secp256k1 are not here on purpose: nothing we speak needs them. */
const COORDINATE_BYTES: ReadonlyMap<string, number> = new Map([
  ['P-256', 32],
  ['P-384', 48],
  ['P-521', 66],
])

/** NIST SP 800-131A asks for 2048; the upper bound keeps a peer from buying our CPU time with one key. */
const RSA_BITS = { least: 2048, most: 8192 } as const

const importedKeys = new WeakMap<PublicJwk, KeyObject>()

/**
 * Parses a public JWK from outside.
 *
 * @returns A frozen object with the members of `PublicJwk` only; everything else is dropped.
 * @throws {VerificationError} `jwk_malformed`: missing or misspelt member, or a point that is not on its curve.
 *   `jwk_private_member`: it carries private or secret material. `jwk_type_refused`: a key type or curve
 *   not used here. `jwk_weak`: an RSA key below 2048 bits, above 8192, or with an unsafe exponent; an
 *   Ed25519 point of small order.
 *
 * Source: RFC 7517, section 4; RFC 7518, section 6; RFC 8037, section 2.
 */
export function parsePublicJwk(value: unknown): PublicJwk {
  return withImportedKey(parseMembers(value))
}

/**
 * The first half of `parsePublicJwk`: everything but the import, which costs most and finds points off the curve.
 *
 * @throws {VerificationError} As `parsePublicJwk`.
 */
export function parseMembers(value: unknown): PublicJwk {
  if (!isJsonObject(value)) throw malformed('A JWK must be a JSON object.')
  if (hasPrivateMember(value)) {
    throw refusal('jwk_private_member', 'The JWK carries private key material. Send the public key only.')
  }
  return Object.freeze({ ...keyMembers(value), ...labels(value) })
}

/**
 * The second half of `parsePublicJwk`: imports the key and keeps it with the object.
 *
 * @throws {VerificationError} `jwk_malformed`: no valid key, for example a point that is not on its curve.
 */
export function withImportedKey(jwk: PublicJwk): PublicJwk {
  importedKeys.set(jwk, importKey(jwk))
  return jwk
}

/**
 * The required members of a key and nothing else: the form whose thumbprint is taken and that goes into `cnf`.
 *
 * Source: RFC 7638, section 3.2; RFC 8037, section 2.
 */
export function bareJwk(jwk: PublicJwk): PublicJwk {
  const { kty, crv, x, y, n, e } = jwk
  const given = Object.entries({ crv, e, kty, n, x, y }).filter(([, value]) => value !== undefined)
  const bare = Object.freeze({ ...Object.fromEntries(given), kty })
  const imported = importedKeys.get(jwk)
  if (imported !== undefined) importedKeys.set(bare, imported)
  return bare
}

/** Whether an object carries a member that only private or secret keys have. */
export function hasPrivateMember(value: JsonObject): boolean {
  return PRIVATE_MEMBERS.some((name) => Object.hasOwn(value, name))
}

/**
 * The imported key of a JWK, imported at the first call only.
 *
 * @throws {VerificationError} Codes of `parsePublicJwk`, for a JWK that did not come from there.
 */
export function publicKeyObject(jwk: PublicJwk): KeyObject {
  const known = importedKeys.get(jwk)
  if (known !== undefined) return known

  const imported = publicKeyObjectOf(parsePublicJwk(jwk))
  importedKeys.set(jwk, imported)
  return imported
}

function publicKeyObjectOf(parsed: PublicJwk): KeyObject {
  return importedKeys.get(parsed) ?? importKey(parsed)
}

function keyMembers(value: JsonObject): PublicJwk {
  const kty = member(value, 'kty')
  if (kty === 'EC') return ellipticKey(value)
  if (kty === 'OKP') return edwardsKey(value)
  if (kty === 'RSA') return rsaKey(value)
  if (typeof kty !== 'string') throw malformed('The JWK has no kty.')
  throw typeRefused()
}

function ellipticKey(value: JsonObject): PublicJwk {
  const crv = requiredText(value, 'crv')
  const size = COORDINATE_BYTES.get(crv)
  if (size === undefined) throw typeRefused()
  return { kty: 'EC', crv, x: coordinate(value, 'x', size), y: coordinate(value, 'y', size) }
}

function edwardsKey(value: JsonObject): PublicJwk {
  const crv = requiredText(value, 'crv')
  if (crv !== 'Ed25519') throw typeRefused()
  const x = coordinate(value, 'x', 32)
  if (hasSmallOrder(x)) throw refusal('jwk_weak', 'The Ed25519 key has small order. Make a new key.')
  return { kty: 'OKP', crv, x }
}

/**
 * The points of order 1, 2, 4 and 8, hex without the sign bit. Under the first one the same 64 bytes are a
 * signature of everything, and OpenSSL does not look.
 */
const SMALL_ORDER = new Set([
  `01${'00'.repeat(31)}`,
  '00'.repeat(32),
  `ec${'ff'.repeat(30)}7f`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  // The first two again, written with a number above the prime.
  `ee${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}7f`,
])

function hasSmallOrder(x: string): boolean {
  const bytes = Buffer.from(x, 'base64url')
  bytes.writeUInt8(bytes.readUInt8(31) & 0x7f, 31)
  return SMALL_ORDER.has(bytes.toString('hex'))
}

function rsaKey(value: JsonObject): PublicJwk {
  const n = requiredText(value, 'n')
  const e = requiredText(value, 'e')
  const modulus = unsignedInteger(n)
  const exponent = unsignedInteger(e)
  const bits = modulus.length * 8 - Math.clz32(modulus[0] ?? 0) + 24
  const power = exponent.length > 4 ? 0 : Buffer.from(exponent).readUIntBE(0, exponent.length)
  // FIPS 186-5, section 5.4: odd and above 2^16; four bytes are plenty and keep verification cheap.
  if (bits < RSA_BITS.least || bits > RSA_BITS.most || power <= 65_536 || power % 2 === 0) {
    throw refusal(
      'jwk_weak',
      'RSA keys need 2048 to 8192 bits and an odd public exponent of 65537 or more, at most four bytes.',
    )
  }
  return { kty: 'RSA', n, e }
}

/** `kid`, `alg` and `use` as given; a present one of another type than text is a mistake of the sender. */
function labels(value: JsonObject): Pick<PublicJwk, 'kid' | 'alg' | 'use'> {
  const [kid, alg, use] = [optionalText(value, 'kid'), optionalText(value, 'alg'), optionalText(value, 'use')]
  return {
    ...(kid === undefined ? {} : { kid }),
    ...(alg === undefined ? {} : { alg }),
    ...(use === undefined ? {} : { use }),
  }
}

function coordinate(value: JsonObject, name: string, size: number): string {
  const text = requiredText(value, name)
  if (decodeBase64url(text)?.length !== size) throw malformed(`The JWK member ${name} has the wrong length.`)
  return text
}

/** Base64urlUInt: no leading zero byte, at least one byte (RFC 7518, section 2). */
function unsignedInteger(text: string): Uint8Array {
  const bytes = decodeBase64url(text)
  if (bytes === undefined || bytes.length === 0 || bytes[0] === 0) {
    throw malformed('An RSA member of the JWK is not a base64url integer without leading zeros.')
  }
  return bytes
}

function requiredText(value: JsonObject, name: string): string {
  const text = optionalText(value, name)
  if (text === undefined) throw malformed(`The JWK lacks the member ${name}.`)
  return text
}

function optionalText(value: JsonObject, name: string): string | undefined {
  const text = member(value, name)
  if (text !== undefined && typeof text !== 'string') throw malformed(`The JWK member ${name} is not a text.`)
  return text
}

function importKey(jwk: PublicJwk): KeyObject {
  try {
    // OpenSSL checks here that an EC point lies on its curve.
    return createPublicKey({ key: { ...jwk }, format: 'jwk' })
  } catch (cause) {
    throw refusal('jwk_malformed', 'The JWK does not describe a valid public key.', { cause })
  }
}

function malformed(message: string): VerificationError {
  return refusal('jwk_malformed', message)
}

function typeRefused(): VerificationError {
  return refusal(
    'jwk_type_refused',
    'Only EC keys on P-256, P-384 or P-521, Ed25519 keys and RSA keys are used here.',
  )
}
