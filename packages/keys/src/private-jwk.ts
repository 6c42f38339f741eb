/**
 * Private JWKs: made, imported, and turned into what certificates and TLS servers read.
 *
 * The only file besides `software-key-provider.ts` that touches private key material. Nothing here stores it.
 *
 * Source: RFC 7517; RFC 7518, section 6; RFC 8037, section 2.
 *
 * @module
 */
import { createPrivateKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { isJsonObject, isJsonValue, type JsonObject } from '@attache/core'
import { algorithmProfile, type JwsAlgorithm } from './algorithms.js'
import { misconfiguration } from './error-codes.js'
import { generateEcJwk, generateOtherJwk } from './generate-jwk.js'
import { hasPrivateMember, type PublicJwk, parsePublicJwk } from './jwk.js'
import { jwkThumbprint } from './thumbprint.js'

/** A private key, imported: the key object, its public half, and the name it goes by. */
export interface PrivateKey {
  readonly keyObject: KeyObject
  readonly publicJwk: PublicJwk
  readonly kid: string
}

const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

/**
 * Makes a new private key for an algorithm.
 *
 * @returns A private JWK with `kid` (its thumbprint) and `alg`. Seal it, or keep it in a 0600 file.
 * @throws {TypeError} `algorithm_refused`: `RS256` is verified here for foreign tokens, never made.
 *
 * Source: RFC 7518, section 6.2.2; RFC 8037, section 2.
 */
export function generatePrivateJwk(alg: JwsAlgorithm): JsonObject {
  if (alg === 'RS256') {
    throw misconfiguration('algorithm_refused', 'RS256 is only verified here. Make a PS256 or ES256 key.')
  }
  const jwk: unknown = { ...generate(alg), alg }
  if (!isJsonObject(jwk) || !isJsonValue(jwk)) throw new Error('node:crypto exported a key that is not JSON')
  return { ...jwk, kid: jwkThumbprint(publicHalf(jwk)) }
}

/**
 * Imports a private JWK that came from a file or a sealed store.
 *
 * @throws {TypeError} `private_key_malformed`: not a private JWK, or its public and private halves do not match.
 */
export function importPrivateJwk(value: unknown): PrivateKey {
  if (!isJsonObject(value) || !hasPrivateMember(value)) {
    throw misconfiguration('private_key_malformed', 'A private JWK is needed here.')
  }
  try {
    const publicJwk = publicHalf(value)
    const keyObject = createPrivateKey({ key: { ...value }, format: 'jwk' })
    return { keyObject, publicJwk, kid: jwkThumbprint(publicJwk) }
  } catch {
    // The cause is not kept: OpenSSL errors can quote the input.
    throw misconfiguration('private_key_malformed', 'The private JWK could not be imported.')
  }
}

/**
 * Reads a PEM private key (PKCS #8, SEC 1 or PKCS #1, unencrypted) into a private JWK.
 *
 * @throws {TypeError} `private_key_malformed`: not such a key.
 *
 * Source: RFC 7468, section 10.
 */
export function privateJwkFromPem(pem: string): JsonObject {
  try {
    const jwk: unknown = createPrivateKey(pem).export({ format: 'jwk' })
    if (isJsonObject(jwk) && isJsonValue(jwk)) return { ...jwk, kid: jwkThumbprint(publicHalf(jwk)) }
  } catch {
    // Falls through: the cause can quote the key.
  }
  throw misconfiguration('private_key_malformed', 'The PEM text holds no usable private key.')
}

/**
 * Writes a private JWK as PKCS #8 PEM, for TLS servers. The text is a secret.
 *
 * @throws {TypeError} `private_key_malformed`
 *
 * Source: RFC 7468, section 10.
 */
export function privateJwkToPem(privateJwk: unknown): string {
  return importPrivateJwk(privateJwk).keyObject.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/** The public half of a private JWK: known members only, without `use` and `alg`. */
function publicHalf(value: JsonObject): PublicJwk {
  const rest = Object.fromEntries(Object.entries(value).filter(([name]) => !PRIVATE_MEMBERS.includes(name)))
  const { kty, crv, x, y, n, e } = rest
  return parsePublicJwk(JSON.parse(JSON.stringify({ kty, crv, x, y, n, e })))
}

function generate(alg: JwsAlgorithm): JsonWebKey {
  const { kty, crv } = algorithmProfile(alg)
  if (kty !== 'EC') return generateOtherJwk(kty)
  return { ...generateEcJwk(crv === 'P-384' || crv === 'P-521' ? crv : 'P-256') }
}
