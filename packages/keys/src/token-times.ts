/**
 * The three times a JWT may carry, judged at one moment.
 *
 * Whether a time has to be there, and how old a token may be, is the rule of each token and stays with it.
 *
 * Source: RFC 7519, sections 2 and 4.1.4 to 4.1.6.
 *
 * @module
 */
import { type JsonObject, member, type NumericDate } from '@attache/core'
import { refusal } from './error-codes.js'

/** 9999-12-31T23:59:59Z. Above it stands a time in milliseconds, which would never expire. */
const LAST_DATE = 253_402_300_799

/**
 * Judges `exp`, `nbf` and `iat`, as far as they are present.
 *
 * @param now NumericDate, whole seconds.
 * @param toleranceSeconds How far the peer's clock may be off, either way. @default 60
 * @throws {VerificationError} `jwt_time_malformed`: present but not a NumericDate between 1970 and 9999;
 *   `jwt_expired`: `exp` is reached; `jwt_not_yet_valid`: `nbf` lies ahead; `jwt_issued_in_future`.
 *
 * Source: RFC 7519, sections 4.1.4 to 4.1.6.
 */
export function checkTimes(payload: JsonObject, now: NumericDate, toleranceSeconds = 60): void {
  const expiresAt = dateOf(payload, 'exp')
  const notBefore = dateOf(payload, 'nbf')
  const issuedAt = dateOf(payload, 'iat')
  if (expiresAt !== undefined && now - toleranceSeconds >= expiresAt) {
    throw refusal('jwt_expired', 'The token has expired. Get a new one.')
  }
  if (notBefore !== undefined && now + toleranceSeconds < notBefore) {
    throw refusal('jwt_not_yet_valid', 'The token is not valid yet. Compare the clocks.')
  }
  if (issuedAt !== undefined && now + toleranceSeconds < issuedAt) {
    throw refusal('jwt_issued_in_future', 'The token was issued in the future. Compare the clocks.')
  }
}

function dateOf(payload: JsonObject, name: string): NumericDate | undefined {
  const value = member(payload, name)
  if (value === undefined) return undefined
  if (typeof value !== 'number' || !(value >= 0 && value <= LAST_DATE)) {
    throw refusal('jwt_time_malformed', `The claim ${name} is not a NumericDate in seconds.`)
  }
  return value
}
