/**
 * How much a stranger may ask of us in a minute.
 *
 * @module
 */
import type { Clock, NumericDate } from '@attache/core'

/** Counts what was let through. */
export interface RateLimit {
  /** Lets one through, or says in how many seconds to come again. */
  take(): { readonly allowed: true } | { readonly allowed: false; readonly retryAfterSeconds: number }
}

const WINDOW_SECONDS = 60

/** At most so many in any 60 seconds. One limit for everybody: callers without a name cannot be told apart. */
export function createRateLimit(perMinute: number, deps: { readonly clock: Clock }): RateLimit {
  let taken: readonly NumericDate[] = []
  return {
    take() {
      const now = deps.clock()
      taken = taken.filter((at) => at > now - WINDOW_SECONDS)
      const [oldest] = taken
      if (oldest !== undefined && taken.length >= perMinute) {
        return { allowed: false, retryAfterSeconds: oldest + WINDOW_SECONDS - now }
      }
      taken = [...taken, now]
      return { allowed: true }
    },
  }
}
