/**
 * Attestation challenges: how a server makes a client's proof of possession fresh, by endpoint and by error.
 *
 * Owns the header field, the answer of the challenge endpoint (both halves) and the demand for a challenge.
 * The challenges themselves are `ServerNonces` of the use `attestation-challenge`.
 *
 * Source: draft-ietf-oauth-attestation-based-client-auth-11, sections 6 and 7.4.
 *
 * @module
 */
import {
  type JsonObject,
  type NumericDate,
  ProtocolError,
  SPENT_MARGIN_SECONDS,
  type StoreStep,
  storeKey,
} from '@attache/core'
import { z } from 'zod'
import { malformedAnswer } from './message-members.js'
import type { OpenedNonce, ServerNonces } from './server-nonces.js'

/** Header field by which any answer may carry the next challenge. */
export const ATTESTATION_CHALLENGE_HEADER = 'OAuth-Client-Attestation-Challenge'

/**
 * The answer of the challenge endpoint: body and header fields of a 200.
 *
 * @param options.dpopNonces When the server asks for DPoP nonces, one travels along.
 *
 * Source: attestation-based client authentication -11, section 6.3.
 */
export function createChallengeResponse(
  options: { readonly challenges: ServerNonces; readonly dpopNonces?: ServerNonces | undefined },
  now: NumericDate,
): { readonly body: JsonObject; readonly headers: Readonly<Record<string, string>> } {
  const nonce = options.dpopNonces?.issue(now)
  return {
    body: { attestation_challenge: options.challenges.issue(now) },
    headers: { 'Cache-Control': 'no-store', ...(nonce === undefined ? {} : { 'DPoP-Nonce': nonce }) },
  }
}

const challengeResponse = z.looseObject({ attestation_challenge: z.string().min(1).max(2048) })

/**
 * Parses the answer of the challenge endpoint.
 *
 * @throws {VerificationError} `answer_malformed`.
 *
 * Source: attestation-based client authentication -11, section 6.3.
 */
export function parseChallengeResponse(body: unknown): string {
  const parsed = challengeResponse.safeParse(body)
  if (!parsed.success) throw malformedAnswer(parsed.error)
  return parsed.data.attestation_challenge
}

/**
 * Requires that a proof answers one of our challenges.
 *
 * @throws {ProtocolError} `use_attestation_challenge` with a fresh one in the error's headers.
 *
 * Source: attestation-based client authentication -11, sections 6.1 and 7.4.
 */
export function requireChallenge(
  challenge: unknown,
  challenges: ServerNonces | undefined,
  now: NumericDate,
): OpenedNonce | undefined {
  if (challenges === undefined) return undefined
  const opened = typeof challenge === 'string' ? challenges.open(challenge, now) : undefined
  if (opened !== undefined) return opened
  throw new ProtocolError(
    'use_attestation_challenge',
    'Make a new client attestation PoP with the challenge of this answer.',
    { headers: { [ATTESTATION_CHALLENGE_HEADER]: challenges.issue(now) } },
  )
}

/**
 * The store step that spends a challenge, for servers that count on it instead of on `jti`.
 *
 * Source: attestation-based client authentication -11, section 12.1.
 */
export function spendChallenge(
  challenge: OpenedNonce,
  place: { readonly tenant: string; readonly room: string },
): Extract<StoreStep, { op: 'putIfAbsent' }> {
  const key = storeKey({ ...place, kind: 'attestation-challenge', id: challenge.id })
  return { op: 'putIfAbsent', key, value: { v: 1 }, expiresAt: challenge.expiresAt + SPENT_MARGIN_SECONDS }
}
