/**
 * Raw signatures over bytes, in the form JWS and HTTP Message Signatures use them.
 *
 * Owns how each algorithm is spelt to `node:crypto` (`ieee-p1363`, PSS salt length) and that an algorithm
 * meets only a key that fits it. What is signed is the caller's business.
 *
 * Source: RFC 7518, section 3; RFC 8037, section 3.1; RFC 9864, section 2.2.
 *
 * @module
 */
import { constants, type KeyObject, sign, verify } from 'node:crypto'
import { type AlgorithmProfile, algorithmProfile, type JwsAlgorithm } from './algorithms.js'
import { type PublicJwk, publicKeyObject } from './jwk.js'

/**
 * Whether an algorithm may be used with a key: type and curve fit, and the key's own `alg` and `use`,
 * where present, do not speak against it.
 *
 * Source: RFC 7517, sections 4.2 and 4.4; RFC 8725, section 3.1.
 */
export function algorithmFitsKey(alg: JwsAlgorithm, key: PublicJwk): boolean {
  const profile = algorithmProfile(alg)
  if (key.kty !== profile.kty || key.crv !== profile.crv) return false
  if (key.use !== undefined && key.use !== 'sig') return false
  return key.alg === undefined || key.alg === alg || (isEdwards(key.alg) && isEdwards(alg))
}

/**
 * Verifies one raw signature.
 *
 * @returns `false` also when the algorithm does not fit the key.
 * @throws {VerificationError} Codes of `parsePublicJwk`, for a key that was not parsed before.
 */
export function verifySignature(
  signature: Uint8Array,
  signed: { bytes: Uint8Array; alg: JwsAlgorithm },
  key: PublicJwk,
): boolean {
  if (!algorithmFitsKey(signed.alg, key)) return false
  const profile = algorithmProfile(signed.alg)
  return verify(profile.hash, signed.bytes, keyInput(publicKeyObject(key), profile), signature)
}

/** Signs bytes with an imported private key; the caller has made sure that the algorithm fits. */
export function signBytes(bytes: Uint8Array, alg: JwsAlgorithm, key: KeyObject): Uint8Array {
  const profile = algorithmProfile(alg)
  return new Uint8Array(sign(profile.hash, bytes, keyInput(key, profile)))
}

function isEdwards(alg: string): boolean {
  return alg === 'EdDSA' || alg === 'Ed25519'
}

function keyInput(key: KeyObject, profile: AlgorithmProfile) {
  if (profile.padding === 'pss') {
    return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
  }
  if (profile.padding === 'pkcs1') return { key, padding: constants.RSA_PKCS1_PADDING }
  return { key, dsaEncoding: 'ieee-p1363' as const }
}
