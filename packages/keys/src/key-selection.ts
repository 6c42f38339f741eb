/**
 * Which key of a set a token header asks for.
 *
 * Source: RFC 7517, section 4.5; SD-JWT VC, section 4.2; RFC 8725, section 3.10.
 *
 * @module
 */
import { type JsonObject, member } from '@attache/core'
import { isJwsAlgorithm } from './algorithms.js'
import { refusal } from './error-codes.js'
import type { PublicJwk } from './jwk.js'
import { algorithmFitsKey } from './signature.js'

/** The two header members that say which key signed. */
export interface WantedKey {
  readonly kid?: string
  readonly alg: string
}

/**
 * Reads `kid` and `alg` of a header.
 *
 * @throws {VerificationError} `issuer_key_not_found`: one of them is there with another type than text.
 */
export function wantedKey(header: JsonObject): WantedKey {
  const [kid, alg] = [member(header, 'kid'), member(header, 'alg')]
  if (typeof alg !== 'string' || (kid !== undefined && typeof kid !== 'string')) {
    throw refusal('issuer_key_not_found', 'The token header names its key or algorithm in a wrong way.')
  }
  return kid === undefined ? { alg } : { alg, kid }
}

/**
 * Selects by `kid`; without one, the only key that fits the algorithm.
 *
 * @returns `undefined` when no key matches.
 * @throws {VerificationError} `issuer_key_ambiguous`: several keys match. None is tried at random.
 */
export function selectKey(keys: readonly PublicJwk[], wanted: WantedKey): PublicJwk | undefined {
  const { kid, alg } = wanted
  const [found, ...others] = keys.filter((key) =>
    kid === undefined ? isJwsAlgorithm(alg) && algorithmFitsKey(alg, key) : key.kid === kid,
  )
  if (others.length > 0) {
    throw refusal('issuer_key_ambiguous', 'Several keys of the issuer match. Name one by a unique kid.')
  }
  return found
}
