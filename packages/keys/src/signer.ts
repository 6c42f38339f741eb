/**
 * The `Signer` port: something that signs bytes and says which key it signs with.
 *
 * A KMS or a PKCS #11 token fits behind it; `createSoftwareSigner` is the one whose key lies in this process.
 *
 * Source: RFC 7515, section 4.1.6; HAIP 1.0, sections 5 and 6.1.1 (what `x5c` may hold).
 *
 * @module
 */
import { isJsonObject, member } from '@attache/core'
import { algorithmProfile, isJwsAlgorithm, type JwsAlgorithm } from './algorithms.js'
import { misconfiguration } from './error-codes.js'
import type { PublicJwk } from './jwk.js'
import { requireOwnChain } from './own-chain.js'
import { importPrivateJwk } from './private-jwk.js'
import { signBytes, verifySignature } from './signature.js'

/** Signs; never hands its key out. */
export interface Signer {
  readonly alg: JwsAlgorithm
  /** The public half: required members only. */
  readonly publicJwk: PublicJwk
  /** RFC 7638 thumbprint of `publicJwk`. */
  readonly kid: string
  /** Leaf and intermediates, standard base64 of DER, leaf first. Never the root. */
  readonly x5c?: readonly string[]
  /** Signs bytes; ECDSA signatures are `r || s`. */
  sign(bytes: Uint8Array): Promise<Uint8Array>
}

/**
 * Makes a signer over a private JWK.
 *
 * @param privateJwk With `alg` where the key type leaves a choice: EC keys have one algorithm, Ed25519 keys say
 *   `EdDSA` unless they name `Ed25519`, RSA keys say `PS256` unless they name another PS algorithm.
 * @param options.x5c Certificates of this key, leaf first, without the root.
 * @throws {TypeError} `private_key_malformed`, `algorithm_refused`; `x5c_key_mismatch`, `x5c_malformed`,
 *   `self_signed`, `x5c_anchor`: a chain that peers would refuse is refused here, at the start.
 */
export function createSoftwareSigner(privateJwk: unknown, options?: { x5c?: readonly string[] }): Signer {
  const { keyObject, publicJwk, kid } = importPrivateJwk(privateJwk)
  const alg = signingAlgorithm(publicJwk, privateJwk)
  const sign = async (bytes: Uint8Array) => signBytes(bytes, alg, keyObject)

  // A private half that does not belong to the public half imports well and signs rubbish.
  const probe = new Uint8Array([1])
  if (!verifySignature(signBytes(probe, alg, keyObject), { bytes: probe, alg }, publicJwk)) {
    throw misconfiguration('private_key_malformed', 'The private and public halves of the JWK differ.')
  }
  if (options?.x5c === undefined) return Object.freeze({ alg, publicJwk, kid, sign })

  requireOwnChain(options.x5c, publicJwk)
  return Object.freeze({ alg, publicJwk, kid, x5c: Object.freeze([...options.x5c]), sign })
}

function signingAlgorithm(publicJwk: PublicJwk, privateJwk: unknown): JwsAlgorithm {
  const named = isJsonObject(privateJwk) ? member(privateJwk, 'alg') : undefined
  const alg = named ?? naturalAlgorithm(publicJwk)
  if (isJwsAlgorithm(alg) && alg !== 'RS256') {
    const profile = algorithmProfile(alg)
    if (profile.kty === publicJwk.kty && profile.crv === publicJwk.crv) return alg
  }
  throw misconfiguration(
    'algorithm_refused',
    'The alg of the private JWK does not fit its key, or is not used here.',
  )
}

function naturalAlgorithm(key: PublicJwk): JwsAlgorithm {
  if (key.kty === 'RSA') return 'PS256'
  if (key.kty === 'OKP') return 'EdDSA'
  if (key.crv === 'P-384') return 'ES384'
  return key.crv === 'P-521' ? 'ES512' : 'ES256'
}
