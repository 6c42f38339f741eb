/**
 * Remembers issuer-signed JWTs whose signature was verified, so that the next presentation of the same
 * credential costs one signature less.
 *
 * An entry says only: these bytes were signed by this key, under this trust configuration. It is bounded in
 * number, size and age and never outlives `exp` or the resolver's answer. Header, time, status and key
 * binding are judged anew every time.
 *
 * @module
 */
import { configurationError, type JsonObject, member, type NumericDate } from '@attache/core'
import type { ParsedJws, PublicJwk } from '@attache/keys'
import type { ResolvedIssuerKey } from './issuer-key.js'

/** Bounds of a cache. */
export interface VerifiedIssuerCacheOptions {
  /** Entries kept; the one unused for longest goes first. @default 1000 */
  readonly maxEntries?: number
  /** How long a verified signature is believed, in seconds; also how late a withdrawn key is noticed. @default 300 */
  readonly maxAgeSeconds?: number
  /** Longer issuer-signed JWTs are not kept. @default 16384 */
  readonly maxJwtBytes?: number
}

/** One verified issuer-signed JWT. */
export interface VerifiedIssuerJwt {
  readonly jws: ParsedJws
  /** The type for which the resolver was asked; the answer counts for no other. */
  readonly vct: string | undefined
  readonly resolved: ResolvedIssuerKey
  /** The parsed `cnf.jwk`, kept so that its import is paid once. */
  readonly holderKey: PublicJwk | undefined
}

/** A bounded memory of verified issuer signatures. */
export interface VerifiedIssuerCache {
  /** @param key Of {@link cacheKey}. */
  get(key: string, now: NumericDate): VerifiedIssuerJwt | undefined
  /** Keeps an entry until `maxAgeSeconds`, `exp` or `validUntil`, whichever comes first. */
  put(key: string, entry: VerifiedIssuerJwt, now: NumericDate): void
  /** Entries held now. */
  readonly size: number
}

interface Kept {
  readonly entry: VerifiedIssuerJwt
  readonly expiresAt: NumericDate
}

/**
 * The name of an entry: the exact bytes and the trust configuration under which they were verified.
 *
 * @param credentialHash SHA-256 of the issuer-signed JWT, base64url.
 * @param trustFingerprint Changes whenever the trust configuration does.
 */
export function cacheKey(credentialHash: string, trustFingerprint: string): string {
  return `${credentialHash}.${trustFingerprint}`
}

/**
 * Creates an empty cache.
 *
 * @throws {TypeError} `cache_bounds`: a bound is not a positive whole number.
 */
export function createVerifiedIssuerCache(options: VerifiedIssuerCacheOptions = {}): VerifiedIssuerCache {
  const { maxEntries = 1000, maxAgeSeconds = 300, maxJwtBytes = 16_384 } = options
  if (![maxEntries, maxAgeSeconds, maxJwtBytes].every((bound) => Number.isSafeInteger(bound) && bound > 0)) {
    throw configurationError('cache_bounds', 'The bounds of the verified issuer cache must be positive.')
  }
  // A Map keeps insertion order: taking an entry out and in again makes the first one the oldest unused.
  const kept = new Map<string, Kept>()
  return {
    get(key, now) {
      const found = kept.get(key)
      if (found === undefined) return undefined
      kept.delete(key)
      if (now >= found.expiresAt) return undefined
      kept.set(key, found)
      return found.entry
    },
    put(key, entry, now) {
      const expiresAt = Math.min(
        now + maxAgeSeconds,
        expOf(entry.jws.payload),
        entry.resolved.validUntil ?? Number.POSITIVE_INFINITY,
      )
      if (expiresAt <= now || entry.jws.text.length > maxJwtBytes) return
      kept.delete(key)
      kept.set(key, { entry, expiresAt })
      if (kept.size <= maxEntries) return
      const [oldest] = kept.keys()
      if (oldest !== undefined) kept.delete(oldest)
    },
    get size() {
      return kept.size
    },
  }
}

function expOf(payload: JsonObject): NumericDate {
  const exp = member(payload, 'exp')
  return typeof exp === 'number' ? exp : Number.POSITIVE_INFINITY
}
