/**
 * The attestations at hand: one per instance, until it is about to end.
 *
 * Owns when the attester is asked. Once for all who wait; again some time before the end, each instance at a moment
 * of its own, so that a fleet that started together does not come back together. While the attester does not answer,
 * the attestation at hand goes on to its end and the attester is left alone for longer and longer. Nothing is stored:
 * a restart asks anew.
 *
 * Source: attestation-based client authentication -11, sections 7.4 and 10.2.
 *
 * @module
 */
import { type Log, type NumericDate, type Random, VerificationError } from '@attache/core'
import type { Attestation, Attester } from './attester.js'
import type { ClientInstance } from './client-instance.js'
import { createSingleFlight } from './single-flight.js'

/** Keeps the attestation of each instance until it is about to end. */
export interface Attestations {
  /**
   * Gives an attestation that still counts.
   *
   * @param options.fresh Ask for a new one: the server refused the one at hand.
   * @throws {VerificationError} What the attester throws, when there is none to go on with; during its back-off the
   *   error of the last attempt.
   */
  of(client: ClientInstance, now: NumericDate, options?: { readonly fresh?: boolean }): Promise<string>
}

interface Held extends Attestation {
  readonly renewAt: NumericDate
}

interface Failing {
  readonly failures: number
  readonly retryAt: NumericDate
  readonly error: VerificationError
}

/** How long before its end an attestation is replaced at the latest, in seconds; half its life for a short one. */
const RENEW_BEFORE_SECONDS = 60

/** An attestation this near to its end may be over before it arrives, in seconds. */
const LAST_USE_SECONDS = 5

/** The longest wait between two attempts, in seconds. */
const MOST_BACKOFF_SECONDS = 60

/** Creates the memory over an attester. */
export function createAttestations(deps: {
  readonly attester: Attester
  readonly random: Random
  readonly log: Log
}): Attestations {
  const known = new Map<string, Held>()
  const failing = new Map<string, Failing>()
  const flights = createSingleFlight<string>()

  const ask = async (client: ClientInstance, now: NumericDate): Promise<string> => {
    const { clientId, agent, instance } = client
    try {
      const attestation = await deps.attester.attest({ clientId, agent, instance }, now)
      known.set(instance.kid, { ...attestation, renewAt: renewalTime(attestation, now, deps.random) })
      failing.delete(instance.kid)
      return attestation.jwt
    } catch (error) {
      if (error instanceof VerificationError) noteFailure(failing, instance.kid, { error, now })
      throw error
    }
  }

  return {
    async of(client, now, options = {}) {
      const { kid } = client.instance
      const held = options.fresh ? undefined : stillGood(known.get(kid), now)
      if (held !== undefined && held.renewAt > now) return held.jwt
      const failure = failing.get(kid)
      const waiting = failure !== undefined && failure.retryAt > now
      if (waiting && held !== undefined) return held.jwt
      if (waiting) throw failure.error
      try {
        return await flights.run(kid, () => ask(client, now))
      } catch (error) {
        if (held === undefined || !(error instanceof VerificationError)) throw error
        const facts = { agent: client.agent, code: error.code, expires_at: held.expiresAt }
        deps.log.warn('wallet.attestation_kept', facts)
        return held.jwt
      }
    },
  }
}

function stillGood(held: Held | undefined, now: NumericDate): Held | undefined {
  return held !== undefined && held.expiresAt - LAST_USE_SECONDS > now ? held : undefined
}

function renewalTime({ expiresAt }: Attestation, now: NumericDate, random: Random): NumericDate {
  const before = Math.min(RENEW_BEFORE_SECONDS, Math.floor((expiresAt - now) / 2))
  const [byte = 0] = random(1)
  // Up to as long again: a fleet spreads over the minute before the last one.
  return expiresAt - before - Math.floor((Math.min(before, RENEW_BEFORE_SECONDS) * byte) / 256)
}

function noteFailure(
  failing: Map<string, Failing>,
  kid: string,
  { error, now }: { readonly error: VerificationError; readonly now: NumericDate },
): void {
  const failures = (failing.get(kid)?.failures ?? 0) + 1
  failing.set(kid, { failures, error, retryAt: now + Math.min(2 ** failures, MOST_BACKOFF_SECONDS) })
}
