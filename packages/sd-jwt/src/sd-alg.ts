/**
 * `_sd_alg`: which hash the digests of a credential are made with.
 *
 * Truncated entries of the registry (`sha-256-32` and the like) are never accepted, whatever is configured.
 *
 * Source: RFC 9901, sections 4.1.1 and 9.4.
 *
 * @module
 */
import { type JsonObject, member } from '@attache/core'
import type { HashAlgorithm } from '@attache/keys'
import { refusal } from './errors.js'

/** The hash algorithms known here, weakest first. */
export const SD_ALGS: readonly HashAlgorithm[] = ['sha-256', 'sha-384', 'sha-512']

/**
 * Reads `_sd_alg` of an issuer-signed payload.
 *
 * @returns `sha-256` when the member is absent; never a fallback when it is present.
 * @throws {VerificationError} `sd_alg_refused`: not a text, unknown, or not in `accepted`.
 *
 * Source: RFC 9901, section 7.1, step 2d; section 4.1.1.
 */
export function parseSdAlg(payload: JsonObject, accepted: readonly HashAlgorithm[] = SD_ALGS): HashAlgorithm {
  const named = member(payload, '_sd_alg')
  const wanted = named === undefined ? 'sha-256' : named
  const found = accepted.find((algorithm) => algorithm === wanted)
  if (found === undefined) throw refusal('sd_alg_refused')
  return found
}
