/**
 * The codes of the attester, one table for each audience.
 *
 * Whoever asks for an attestation learns one code whatever failed: a refusal that names its check would tell a
 * stranger which issuers, subjects and claims count. The check stands in the attester's log, under the request id
 * that the answer carries.
 *
 * @module
 */
import { configurationError, ProtocolError, VerificationError } from '@attache/core'

/**
 * What an instance is answered: code -> HTTP status.
 *
 * Source: none; the exchange is in-house. `invalid_request` as in RFC 6749, section 5.2.
 */
export const ATTESTER_ERRORS = {
  /** The body is not a request at all. */
  invalid_request: 400,
  /** Any check failed. The log has the check, under the request id. */
  attestation_refused: 403,
  /** The body is larger than this endpoint reads. */
  request_too_large: 413,
  /** A fault on this side. */
  server_error: 500,
} as const

/**
 * Which check failed: causes of `attestation_refused`, for the attester's log. They never travel. The codes of
 * the keys room (`jws_…`, `jwt_…`, `issuer_key…`) stand beside or below them.
 *
 * Source: OpenID Connect Core 1.0, section 3.1.3.7; RFC 8725, sections 3.1 to 3.12.
 */
export const ATTESTER_CHECKS = {
  instance_proof: 'The proof of possession does not hold for this request and this attester.',
  challenge_unknown: 'The challenge is not one of ours, or it is too old.',
  challenge_used: 'The challenge was used before.',
  workload_token_type: 'The workload token has the type of another kind of token.',
  workload_token_issuer: 'The workload token comes from an issuer that is not configured.',
  workload_token_bound: 'The workload token is bound to a key by cnf, and it is not checked here.',
  workload_token_audience: 'The workload token is not for this attester alone.',
  workload_token_claims: 'The workload token lacks sub, iat or exp.',
  workload_token_life: 'The workload token lives longer than is accepted from its issuer.',
  workload_token_algorithm:
    'The workload token is signed with an algorithm that is not accepted from its issuer.',
  workload_token_key: 'The workload token is not signed with a key of its issuer.',
  workload_subject: 'No rule of this issuer names the subject.',
  workload_claims: 'A rule names the subject, and its claims are not met.',
  workload_client: 'A rule is met, and it is for another client.',
  workload_agent: 'A rule is met, and it is for other agents.',
} as const

/**
 * Why a wallet has no attestation: for the operator, who sees code and message.
 *
 * Source: none; the exchange is in-house.
 */
export const ATTESTATION_FAILURES = {
  attester_unavailable: 'The attester gave no answer.',
  attester_refused: 'The attester does not vouch for this workload.',
  attester_answer: 'The attestation that came is not one for this wallet.',
  workload_token_unreadable: 'The workload token cannot be read.',
} as const

/** Makes the error of a failed check. */
export function failedCheck(code: keyof typeof ATTESTER_CHECKS, cause?: unknown): VerificationError {
  return new VerificationError(code, ATTESTER_CHECKS[code], cause === undefined ? {} : { cause })
}

/** Makes the one refusal that travels. */
export function attestationRefused(cause: unknown): ProtocolError {
  const description = 'The attester does not vouch for this instance. Its log has the reason, by request id.'
  return new ProtocolError('attestation_refused', description, { cause })
}

/** Makes the error of an attester's wrong configuration. */
export function invalidAttester(what: string): TypeError & { readonly code: string } {
  const printable = what.replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, '?').slice(0, 300)
  return configurationError('attester_options_invalid', `The attester options are wrong: ${printable}.`)
}
