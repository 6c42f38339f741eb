/**
 * JWK thumbprints: the one name a key has in this house (`kid`, `jkt`).
 *
 * Source: RFC 7638; RFC 8037, section 2; RFC 9278.
 *
 * @module
 */
import { digest } from './digest.js'
import type { PublicJwk } from './jwk.js'

/**
 * SHA-256 thumbprint of a key: 43 characters of base64url.
 *
 * Source: RFC 7638, section 3.
 */
export function jwkThumbprint(jwk: PublicJwk): string {
  return digest('sha-256', JSON.stringify(requiredMembers(jwk)))
}

/** Written down in the order of the names, which JSON.stringify keeps. */
function requiredMembers({ kty, crv, x, y, n, e }: PublicJwk) {
  if (kty === 'EC') return { crv, kty, x, y }
  return kty === 'OKP' ? { crv, kty, x } : { e, kty, n }
}
