/**
 * The signature algorithms this house knows, and which key each of them fits.
 *
 * Owns the allow-list every room starts from: no `none`, no MAC, no SHA-1, no P-256K. A room narrows the
 * list by configuration; nothing widens it. What a key looks like belongs to `jwk.ts`.
 *
 * Source: RFC 7518, section 3.1; RFC 8037, section 3.1; RFC 9864, section 2.2; RFC 8725, section 3.1.
 *
 * @module
 */
import { misconfiguration } from './error-codes.js'

/** A JWS `alg` value this house verifies. `RS256` is here for tokens of foreign OpenID Providers only. */
export type JwsAlgorithm =
  | 'ES256'
  | 'ES384'
  | 'ES512'
  | 'EdDSA'
  | 'Ed25519'
  | 'PS256'
  | 'PS384'
  | 'PS512'
  | 'RS256'

/** What an algorithm asks of its key, and how `node:crypto` is told to use it. */
export interface AlgorithmProfile {
  /** `kty` the key must have. */
  readonly kty: 'EC' | 'OKP' | 'RSA'
  /** `crv` the key must have; absent for RSA. */
  readonly crv?: string
  /** Hash name of `node:crypto`; absent where the algorithm hashes by itself. */
  readonly hash?: 'sha256' | 'sha384' | 'sha512'
  /** RSA padding; absent for curves. */
  readonly padding?: 'pss' | 'pkcs1'
}

const PROFILES: ReadonlyMap<string, AlgorithmProfile> = new Map([
  ['ES256', { kty: 'EC', crv: 'P-256', hash: 'sha256' } as const],
  ['ES384', { kty: 'EC', crv: 'P-384', hash: 'sha384' } as const],
  ['ES512', { kty: 'EC', crv: 'P-521', hash: 'sha512' } as const],
  // RFC 9864 renames it; both names stand for the same signature over the same key.
  ['EdDSA', { kty: 'OKP', crv: 'Ed25519' } as const],
  ['Ed25519', { kty: 'OKP', crv: 'Ed25519' } as const],
  ['PS256', { kty: 'RSA', hash: 'sha256', padding: 'pss' } as const],
  ['PS384', { kty: 'RSA', hash: 'sha384', padding: 'pss' } as const],
  ['PS512', { kty: 'RSA', hash: 'sha512', padding: 'pss' } as const],
  ['RS256', { kty: 'RSA', hash: 'sha256', padding: 'pkcs1' } as const],
])

/**
 * Tells whether a text is an `alg` value of the house's list; the comparison is case-sensitive.
 *
 * Source: RFC 7515, section 4.1.1.
 */
export function isJwsAlgorithm(value: unknown): value is JwsAlgorithm {
  return typeof value === 'string' && PROFILES.has(value)
}

/**
 * What one algorithm asks of its key.
 *
 * Source: RFC 7518, sections 3.3 to 3.5; RFC 8037, section 3.1.
 */
export function algorithmProfile(alg: JwsAlgorithm): AlgorithmProfile {
  const profile = PROFILES.get(alg)
  if (profile === undefined) {
    throw misconfiguration('algorithm_refused', `The algorithm ${String(alg)} is not known here.`)
  }
  return profile
}

/**
 * Reads a configured list of `alg` values, while the thing that will use it is being built.
 *
 * @returns The same values, in the same order. An empty list stays empty and accepts nothing.
 * @throws {TypeError} `algorithm_refused`: `none` in any case, a MAC, or a name this house does not know.
 *
 * Source: RFC 9901, sections 4.1 and 9.1; RFC 8725, sections 3.1 and 3.2.
 */
export function parseAlgorithms(value: readonly string[]): readonly JwsAlgorithm[] {
  return value.map((alg) => {
    if (!isJwsAlgorithm(alg)) {
      throw misconfiguration(
        'algorithm_refused',
        'A configured algorithm is not an asymmetric one known here. Use ES256 unless a peer needs another.',
      )
    }
    return alg
  })
}
