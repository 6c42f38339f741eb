/**
 * A pool of parsed keys: who sees the same key in message after message imports it once.
 *
 * For keys that come inside messages, as in DPoP proofs. Importing costs about as much as verifying.
 *
 * Source: RFC 7517, section 4.
 *
 * @module
 */
import { type PublicJwk, parseMembers, withImportedKey } from './jwk.js'

/** Parses keys and hands out one object for equal ones. */
export interface KeyPool {
  /**
   * Parses a public JWK like `parsePublicJwk`, and remembers it.
   *
   * @throws {VerificationError} As `parsePublicJwk`.
   */
  parse(value: unknown): PublicJwk
}

/**
 * Makes a pool.
 *
 * @param options.maxKeys Most keys kept; the one unused for longest goes. @default 1024
 */
export function createKeyPool(options: { maxKeys?: number } = {}): KeyPool {
  const { maxKeys = 1024 } = options
  const keys = new Map<string, PublicJwk>()
  return {
    parse(value) {
      const members = parseMembers(value)
      const name = JSON.stringify(members)
      const key = keys.get(name) ?? withImportedKey(members)
      keys.delete(name)
      keys.set(name, key)
      const [oldest] = keys.keys()
      if (keys.size > maxKeys && oldest !== undefined) keys.delete(oldest)
      return key
    },
  }
}
