/**
 * Outages: nobody answered, or the answer was that it cannot be had at the moment.
 *
 * Owns the difference between a refusal, which ends what was asked for, and silence, after which it is asked again.
 *
 * Source: requirements/wallet-issuance.md, section 12; RFC 9110, section 15.6.
 *
 * @module
 */
import { VerificationError } from '@attache/core'

const OUTAGES: readonly string[] = ['fetch_failed', 'fetch_timed_out', 'peer_unavailable']

/** Whether an error says that nobody answered, rather than that somebody refused. */
export function isOutage(error: unknown): boolean {
  if (!(error instanceof VerificationError)) return false
  return OUTAGES.includes(error.code) || isOutage(error.cause)
}

/**
 * The outage that a status stands for.
 *
 * @returns `undefined` for a status that is an answer.
 */
export function outageOf(status: number): VerificationError | undefined {
  if (status !== 429 && status < 500) return undefined
  return new VerificationError('peer_unavailable', `The peer cannot answer at the moment (${status}).`)
}
