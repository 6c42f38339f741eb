/**
 * Keys behind a configured `jwks_uri`, for tokens whose issuer is known without any policy of credentials.
 *
 * Source: RFC 7517, section 5; RFC 8414, section 2.
 *
 * @module
 */
import { type JsonObject, type Log, type NumericDate, type OutboundFetch, SILENT_LOG } from '@attache/core'
import { fetchJwks } from './issuer-metadata.js'
import type { PublicJwk } from './jwk.js'
import { wantedKey } from './key-selection.js'
import { createKeySetCache, type KeySetCacheOptions } from './key-set-cache.js'

/** Finds keys behind `jwks_uri` values. */
export interface JwksCache {
  /**
   * Finds the key a token header asks for.
   *
   * @param uri From configuration or from metadata of a trusted server, never from the token.
   * @throws {VerificationError} `issuer_key_not_found`, `issuer_key_ambiguous`, `issuer_keys_unavailable`.
   */
  find(uri: string, header: JsonObject, now: NumericDate): Promise<PublicJwk>
}

/**
 * Makes a cache of JWK Sets; see `KeySetCacheOptions` for its times.
 *
 * Source: RFC 7517, section 5.
 */
export function createJwksCache(
  options: KeySetCacheOptions,
  deps: { fetch: OutboundFetch; log?: Log },
): JwksCache {
  const cache = createKeySetCache(options)
  const fetchDeps = { fetch: deps.fetch, log: deps.log ?? SILENT_LOG }
  return {
    find: (uri, header, now) =>
      cache.find({ name: uri, load: () => fetchJwks(uri, fetchDeps) }, wantedKey(header), now),
  }
}
