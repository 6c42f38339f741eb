/**
 * Keys that messages are encrypted to: our own ones with their private half, and the choice among a peer's.
 *
 * Source: RFC 7517, section 4; RFC 7518, section 4.6; OpenID4VP 1.0, section 8.3; HAIP 1.0, section 5.
 *
 * @module
 */
import { createPrivateKey, hkdfSync, type KeyObject } from 'node:crypto'
import { isJsonObject, isJsonValue, type JsonObject, member } from '@attache/core'
import { misconfiguration } from './error-codes.js'
import { ecJwkOfScalar, generateEcJwk } from './generate-jwk.js'
import { type ContentEncryption, isContentEncryption } from './jwe-content.js'
import { bareJwk, type PublicJwk } from './jwk.js'
import { parseJwks } from './jwks.js'
import { importPrivateJwk } from './private-jwk.js'
import { jwkThumbprint } from './thumbprint.js'

/** A key of ours that peers encrypt to. */
export interface DecryptionKey {
  readonly kid: string
  /** To be published: with `kid`, `use` `enc` and `alg` `ECDH-ES`. */
  readonly publicJwk: PublicJwk
  /** The secret half, to be sealed where the key has to survive the process. Not part of `JSON.stringify`. */
  readonly privateJwk: JsonObject
  /** The imported private key. */
  readonly keyObject: KeyObject
  /** The public half only, so that a key that slips into a log or an answer gives nothing away. */
  toJSON(): JsonObject
}

/**
 * Makes a P-256 key for ECDH-ES.
 *
 * @param options.kid Name of the key. @default its RFC 7638 thumbprint
 *
 * Source: RFC 7518, section 6.2; HAIP 1.0, section 5.
 */
export function generateDecryptionKey(options?: { kid?: string }): DecryptionKey {
  const { d, ...publicJwk } = generateEcJwk('P-256')
  const keyObject = createPrivateKey({ key: { ...publicJwk, d }, format: 'jwk' })
  // The public half needs no import of its own: it was just made.
  const kid = options?.kid ?? jwkThumbprint(publicJwk)
  return decryptionKey(keyObject, { privateJwk: { ...publicJwk, d }, publicJwk, kid })
}

const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n

/**
 * Makes the same P-256 key again from a secret: for a key that is needed once and kept nowhere.
 *
 * @param secret At least 32 unpredictable bytes, as secret as the key.
 * @param purpose Two purposes give two keys.
 * @throws {TypeError} `private_key_malformed`: the secret is shorter.
 *
 * Source: FIPS 186-5, appendix A.2.1 (64 bits more than the order, so that no scalar is likelier); RFC 5869.
 */
export function deriveDecryptionKey(secret: Uint8Array, purpose: string): DecryptionKey {
  if (secret.length < 32) throw misconfiguration('private_key_malformed', 'A key is derived from 32 bytes.')
  const bytes = Buffer.from(
    hkdfSync('sha256', secret, new Uint8Array(), `attache ecdh-es p256 ${purpose}`, 40),
  )
  const scalar = (BigInt(`0x${bytes.toString('hex')}`) % (P256_ORDER - 1n)) + 1n
  const d = Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex')
  return createDecryptionKey({ ...ecJwkOfScalar('P-256', d) })
}

/**
 * Imports a private JWK as a key to decrypt with.
 *
 * @throws {TypeError} `private_key_malformed`; `algorithm_refused`: not an EC key on P-256.
 */
export function createDecryptionKey(privateJwk: unknown): DecryptionKey {
  const { keyObject, publicJwk, kid: thumbprint } = importPrivateJwk(privateJwk)
  if (publicJwk.crv !== 'P-256' || !isJsonObject(privateJwk) || !isJsonValue(privateJwk)) {
    throw misconfiguration('algorithm_refused', 'Messages are encrypted to EC keys on P-256 only.')
  }
  const named = member(privateJwk, 'kid')
  const kid = typeof named === 'string' && named !== '' ? named : thumbprint
  return decryptionKey(keyObject, { privateJwk, publicJwk, kid })
}

function decryptionKey(
  keyObject: KeyObject,
  jwks: { readonly privateJwk: JsonObject; readonly publicJwk: PublicJwk; readonly kid: string },
): DecryptionKey {
  const { privateJwk, kid } = jwks
  const published = Object.freeze({ ...bareJwk(jwks.publicJwk), kid, use: 'enc', alg: 'ECDH-ES' })
  return {
    kid,
    publicJwk: published,
    // A getter: `util.inspect` shows it as such and not as the key.
    get privateJwk() {
      return { ...privateJwk, kid, alg: 'ECDH-ES', use: 'enc' }
    },
    keyObject,
    toJSON: () => ({ kid, publicJwk: published }),
  }
}

/**
 * The public half of a key that was kept, to be published again; nothing is imported for it.
 *
 * @param privateJwk What `privateJwk` of a key gave.
 * @throws {TypeError} `private_key_malformed`: something else.
 */
export function publishedDecryptionKey(privateJwk: JsonObject): PublicJwk {
  const [x, y, kid] = ['x', 'y', 'kid'].map((name) => member(privateJwk, name))
  const isOurs = member(privateJwk, 'kty') === 'EC' && member(privateJwk, 'crv') === 'P-256'
  if (!isOurs || typeof x !== 'string' || typeof y !== 'string' || typeof kid !== 'string') {
    throw misconfiguration('private_key_malformed', 'This is no key to decrypt with, as it is kept.')
  }
  return { kty: 'EC', crv: 'P-256', x, y, kid, use: 'enc', alg: 'ECDH-ES' }
}

/**
 * Chooses the key and the content encryption for a message to a peer.
 *
 * @param jwks The peer's JWK Set. Keys of unknown type or algorithm, for another use, or without `alg` are skipped.
 * @param encs What the peer accepts; `A256GCM` is taken where both are there.
 * @returns The first usable key, or `undefined` when none is usable.
 *
 * Source: OpenID4VP 1.0, section 8.3; OpenID4VCI 1.0, section 10.
 */
export function chooseEncryptionKey(
  jwks: unknown,
  encs: readonly string[],
): { jwk: PublicJwk; enc: ContentEncryption } | undefined {
  const enc = encs.includes('A256GCM') ? 'A256GCM' : encs.find(isContentEncryption)
  const jwk = parseJwks(jwks).find(isEncryptionKey)
  return jwk === undefined || enc === undefined ? undefined : { jwk, enc }
}

/** Whether a message can be encrypted to a key: P-256, `alg` `ECDH-ES`, not marked for signatures. */
export function isEncryptionKey(jwk: PublicJwk): boolean {
  return jwk.crv === 'P-256' && jwk.alg === 'ECDH-ES' && (jwk.use === undefined || jwk.use === 'enc')
}
