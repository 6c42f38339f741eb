/**
 * How long a fetched Status List may be used: `ttl` and `exp` of the token, within local bounds.
 *
 * HTTP cache headers are not looked at: the token is signed, they are not.
 *
 * Source: Token Status List -20, sections 8.2, 8.3, 11.5 and 13.7.
 *
 * @module
 */
import type { NumericDate } from '@attache/core'

/** Local bounds and choices. */
export interface FreshnessPolicy {
  /** A copy is not asked for again within so many seconds. @default 15 */
  readonly minTtlSeconds?: number
  /** A copy is asked for again after so many seconds at the latest. @default 86400 */
  readonly maxTtlSeconds?: number
  /** For tokens with neither `ttl` nor `exp`, in seconds. @default 300 */
  readonly defaultTtlSeconds?: number
  /**
   * Where `ttl` counts from: `fetched` spreads the load over time, `issued` has every verifier ask right after
   * the next publication. @default fetched
   */
  readonly countFrom?: 'fetched' | 'issued'
}

/** When a copy is to be refreshed, and when it may not be used any more. */
export interface Freshness {
  readonly refreshAt: NumericDate
  /** `exp`; `undefined` without one: then only the bounds of the policy hold. */
  readonly unusableAt: NumericDate | undefined
}

/** Decides how long a copy is good. */
export function freshnessOf(
  token: { readonly iat: NumericDate; readonly exp?: NumericDate; readonly ttl?: number },
  fetchedAt: NumericDate,
  policy: FreshnessPolicy,
): Freshness {
  const {
    minTtlSeconds = 15,
    maxTtlSeconds = 86_400,
    defaultTtlSeconds = 300,
    countFrom = 'fetched',
  } = policy
  const { iat, exp, ttl } = token
  const wanted = wantedRefresh({ iat, exp, ttl }, { fetchedAt, countFrom, defaultTtlSeconds })
  const bounded = Math.min(Math.max(wanted, fetchedAt + minTtlSeconds), fetchedAt + maxTtlSeconds)
  // `exp` wins over the lower bound: a copy past it is never used.
  return { refreshAt: exp === undefined ? bounded : Math.min(bounded, exp), unusableAt: exp }
}

function wantedRefresh(
  token: {
    readonly iat: NumericDate
    readonly exp: NumericDate | undefined
    readonly ttl: number | undefined
  },
  policy: { readonly fetchedAt: NumericDate; readonly countFrom: string; readonly defaultTtlSeconds: number },
): NumericDate {
  if (token.ttl !== undefined) {
    return (policy.countFrom === 'issued' ? token.iat : policy.fetchedAt) + token.ttl
  }
  return token.exp ?? policy.fetchedAt + policy.defaultTtlSeconds
}
