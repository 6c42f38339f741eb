/**
 * A limit on refusals per agent and verifier: whoever asks for ever other values learns nothing from asking.
 *
 * Source: OpenID4VP 1.0, section 15.4.1; threat model, row 12.
 *
 * @module
 */
import type { Log, NumericDate } from '@attache/core'

/** Counts refusals in a sliding window. */
export interface RefusalLimit {
  mayTry(agent: string, verifier: string, now: NumericDate): boolean
  note(agent: string, verifier: string, now: NumericDate): void
}

/** At most so many pairs of agent and verifier are remembered. */
const MAX_PAIRS = 10_000

/** Creates the limit. */
export function createRefusalLimit(
  options: { readonly most: number; readonly windowSeconds: number },
  deps: { readonly log: Log },
): RefusalLimit {
  const refusals = new Map<string, readonly NumericDate[]>()
  const recent = (key: string, now: NumericDate) =>
    (refusals.get(key) ?? []).filter((at) => at > now - options.windowSeconds)
  return {
    mayTry: (agent, verifier, now) => recent(JSON.stringify([agent, verifier]), now).length < options.most,
    note(agent, verifier, now) {
      const key = JSON.stringify([agent, verifier])
      const times = [...recent(key, now), now]
      refusals.delete(key)
      refusals.set(key, times)
      for (const oldest of refusals.keys()) if (refusals.size > MAX_PAIRS) refusals.delete(oldest)
      if (times.length === options.most)
        deps.log.warn('wallet.refusal_limit', { agent, verifier, refusals: times.length })
    },
  }
}
