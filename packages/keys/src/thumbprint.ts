/**
 * JWK thumbprints: the one name a key has in this house (`kid`, `jkt`).
 *
 * Source: RFC 7638; RFC 8037, section 2; RFC 9278.
 *
 * @module
 */
import { digest } from './digest.js'
import { bareJwk, type PublicJwk } from './jwk.js'

/**
 * SHA-256 thumbprint of a key: 43 characters of base64url.
 *
 * Source: RFC 7638, section 3.
 */
export function jwkThumbprint(jwk: PublicJwk): string {
  const bare = bareJwk(jwk)
  const names = Object.keys(bare).sort()
  // Values are base64url or curve names, so the JSON needs no escaping beyond what JSON.stringify does.
  return digest('sha-256', JSON.stringify(bare, names))
}
