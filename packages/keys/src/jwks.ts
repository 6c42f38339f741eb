/**
 * JWK Sets of peers.
 *
 * Source: RFC 7517, section 5.
 *
 * @module
 */
import { isJsonObject, member, VerificationError } from '@attache/core'
import { refusal } from './error-codes.js'
import { type PublicJwk, parsePublicJwk } from './jwk.js'

/** Why a key of a set was left out. */
export interface SkippedKey {
  /** Position in `keys`, from 0. */
  readonly index: number
  /** Code of `parsePublicJwk`. `jwk_private_member` means that a peer published a secret: raise the alarm. */
  readonly code: string
}

/** Sets larger than this are cut: no peer of ours has a hundred keys. */
const MAX_KEYS = 100

/**
 * Parses a JWK Set.
 *
 * @param onSkipped Told about each key that was left out: of unknown kind, weak, malformed, or with a private member.
 * @returns The usable keys, in the order of the set.
 * @throws {VerificationError} `jwks_malformed`: not an object with an array `keys`.
 *
 * Source: RFC 7517, sections 5 and 5.1.
 */
export function parseJwks(value: unknown, onSkipped?: (skipped: SkippedKey) => void): readonly PublicJwk[] {
  const keys = isJsonObject(value) ? member(value, 'keys') : undefined
  if (!Array.isArray(keys)) throw refusal('jwks_malformed', 'A JWK Set is an object with an array keys.')
  return keys.slice(0, MAX_KEYS).flatMap((key: unknown, index) => {
    try {
      return [parsePublicJwk(key)]
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error
      onSkipped?.({ index, code: error.code })
      return []
    }
  })
}
