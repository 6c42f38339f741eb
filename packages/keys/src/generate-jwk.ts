/**
 * Making private keys, as JWKs from the start.
 *
 * Never by exporting a generated `KeyObject` as a JWK: Node 20 takes a lock for that, allocates while it holds it, and
 * a garbage collection that then frees the finished generation of that very key waits for the same lock. The process
 * stands still for good; under load that was once in some ten thousand keys.
 *
 * Source: RFC 7518, section 6.2; RFC 8037, section 2; SEC 1, section 2.3.3 (uncompressed points).
 *
 * @module
 */
import {
  createECDH,
  createPrivateKey,
  type ECDH,
  type ED25519KeyPairOptions,
  generateKeyPairSync,
  type JsonWebKey,
  type RSAKeyPairOptions,
} from 'node:crypto'
import { encodeBase64url } from '@attache/core'

/** Curves by their names in a JWK, in OpenSSL, and how many bytes a coordinate has. */
const CURVES = {
  'P-256': { name: 'prime256v1', bytes: 32 },
  'P-384': { name: 'secp384r1', bytes: 48 },
  'P-521': { name: 'secp521r1', bytes: 66 },
} as const

/** An elliptic curve of a JWK. */
export type EcCurve = keyof typeof CURVES

/** A private EC key with the members the standard wants and no others. */
export interface EcPrivateJwk {
  readonly kty: 'EC'
  readonly crv: EcCurve
  readonly x: string
  readonly y: string
  readonly d: string
}

/** Makes a private key on a curve. */
export function generateEcJwk(crv: EcCurve): EcPrivateJwk {
  const ecdh = createECDH(CURVES[crv].name)
  ecdh.generateKeys()
  return jwkOf(ecdh, crv)
}

/** The private key with this scalar. @param d Big-endian, between 1 and the order of the curve. */
export function ecJwkOfScalar(crv: EcCurve, d: Uint8Array): EcPrivateJwk {
  const ecdh = createECDH(CURVES[crv].name)
  ecdh.setPrivateKey(d)
  return jwkOf(ecdh, crv)
}

function jwkOf(ecdh: ECDH, crv: EcCurve): EcPrivateJwk {
  const { bytes } = CURVES[crv]
  // One byte that says uncompressed, then both coordinates in full; a scalar comes without leading zeros.
  const point = ecdh.getPublicKey()
  const scalar = Buffer.alloc(bytes)
  const short = ecdh.getPrivateKey()
  scalar.set(short, bytes - short.length)
  const [x, y] = [point.subarray(1, 1 + bytes), point.subarray(1 + bytes)]
  return { kty: 'EC', crv, x: encodeBase64url(x), y: encodeBase64url(y), d: encodeBase64url(scalar) }
}

const DER: ED25519KeyPairOptions<'der', 'der'> = {
  publicKeyEncoding: { type: 'spki', format: 'der' },
  privateKeyEncoding: { type: 'pkcs8', format: 'der' },
}
const RSA: RSAKeyPairOptions<'der', 'der'> = {
  modulusLength: 3072,
  publicKeyEncoding: { type: 'spki', format: 'der' },
  privateKeyEncoding: { type: 'pkcs8', format: 'der' },
}

/** Makes a private key that is on no such curve. */
export function generateOtherJwk(kty: 'OKP' | 'RSA'): JsonWebKey {
  const { privateKey } = kty === 'OKP' ? generateKeyPairSync('ed25519', DER) : generateKeyPairSync('rsa', RSA)
  // Imported anew, so that no generation is tied to it.
  return createPrivateKey({ key: privateKey, type: 'pkcs8', format: 'der' }).export({ format: 'jwk' })
}
