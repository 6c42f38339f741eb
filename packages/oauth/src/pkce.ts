/**
 * PKCE: ties an authorization code to the client that asked for it. Both halves, method S256 only.
 *
 * Source: RFC 7636, sections 4.1 to 4.6; RFC 9700, section 2.1.1.
 *
 * @module
 */
import { equalText, ProtocolError, type Random, randomText } from '@attache/core'
import { digest } from '@attache/keys'
import { type FormParameters, optionalParameter } from './form.js'

/** A verifier, which stays with the client, and the challenge that travels first. */
export interface Pkce {
  readonly codeVerifier: string
  readonly codeChallenge: string
}

/** The only accepted `code_challenge_method`; `plain` protects nothing. */
export const CODE_CHALLENGE_METHOD = 'S256'

const VERIFIER = /^[A-Za-z0-9\-._~]{43,128}$/
const CHALLENGE = /^[A-Za-z0-9_-]{43}$/

/**
 * Creates a fresh pair of 256 random bits.
 *
 * Source: RFC 7636, sections 4.1 and 4.2.
 */
export function createPkce(random: Random): Pkce {
  const codeVerifier = randomText(random)
  return { codeVerifier, codeChallenge: digest('sha-256', codeVerifier) }
}

/**
 * Reads the challenge of an authorization request.
 *
 * @returns Nothing when the request carries none.
 * @throws {ProtocolError} `invalid_request` for another method than S256, or a malformed challenge.
 *
 * Source: RFC 7636, section 4.4.1.
 */
export function parseCodeChallenge(form: FormParameters): string | undefined {
  const codeChallenge = optionalParameter(form, 'code_challenge')
  const method = optionalParameter(form, 'code_challenge_method')
  if (codeChallenge === undefined && method === undefined) return undefined
  // An absent method means `plain`.
  if (codeChallenge === undefined || method !== CODE_CHALLENGE_METHOD || !CHALLENGE.test(codeChallenge)) {
    throw new ProtocolError('invalid_request', 'Send a code_challenge with code_challenge_method S256.')
  }
  return codeChallenge
}

/**
 * Verifies that a token request comes from the client that asked for the code.
 *
 * @param codeVerifier As sent in the token request.
 * @param codeChallenge As kept with the code; nothing when the authorization request carried none.
 * @throws {ProtocolError} `invalid_grant` when the two do not belong together, or one of them is absent.
 *
 * Source: RFC 7636, section 4.6; RFC 9700, section 4.8.2 (a verifier without a challenge is refused).
 */
export function verifyPkce(codeVerifier: string | undefined, codeChallenge: string | undefined): void {
  if (codeVerifier === undefined && codeChallenge === undefined) return
  const matches =
    codeVerifier !== undefined &&
    codeChallenge !== undefined &&
    VERIFIER.test(codeVerifier) &&
    equalText(digest('sha-256', codeVerifier), codeChallenge)
  if (!matches) throw new ProtocolError('invalid_grant', 'The code_verifier does not fit the code_challenge.')
}
