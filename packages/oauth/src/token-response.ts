/**
 * Token responses: the access token and what it is good for; and the error answer of every OAuth endpoint.
 *
 * Owns both halves. A refresh token is an opaque text.
 *
 * Source: RFC 6749, sections 5.1 and 5.2; RFC 9449, section 5; OpenID4VCI 1.0, section 6.2.
 *
 * @module
 */
import { type JsonObject, VerificationError } from '@attache/core'
import { z } from 'zod'
import { detailsOf } from './form.js'
import { jsonMembers, malformedAnswer } from './message-members.js'

/** A granted token. */
export interface TokenResponse {
  readonly accessToken: string
  /** `DPoP` when bound to the proof's key. */
  readonly tokenType: 'DPoP' | 'Bearer'
  /** Lifetime in seconds. */
  readonly expiresInSeconds?: number | undefined
  readonly refreshToken?: string | undefined
  /** Present when it differs from what was asked for. */
  readonly scope?: string | undefined
  readonly authorizationDetails?: readonly JsonObject[] | undefined
}

/**
 * Writes a token response, which travels with `Cache-Control: no-store`.
 *
 * Source: RFC 6749, section 5.1.
 */
export function createTokenResponse(response: TokenResponse): JsonObject {
  const details = response.authorizationDetails
  return jsonMembers({
    access_token: response.accessToken,
    token_type: response.tokenType,
    expires_in: response.expiresInSeconds,
    refresh_token: response.refreshToken,
    scope: response.scope,
    authorization_details: details === undefined ? undefined : [...details],
  })
}

const tokenResponse = z.looseObject({
  access_token: z.string().regex(/^[\x20-\x7e]{1,16384}$/),
  token_type: z.string(),
  expires_in: z.int().positive().optional(),
  refresh_token: z
    .string()
    .regex(/^[\x20-\x7e]{1,16384}$/)
    .optional(),
  scope: z.string().optional(),
  authorization_details: z.array(z.json()).optional(),
})

/**
 * Parses a token response.
 *
 * @param expected.dpopBound Whether we sent a proof: then a token that is not bound to it is discarded.
 * @throws {VerificationError} `answer_malformed`, `token_type_not_dpop`.
 *
 * Source: RFC 6749, section 5.1; RFC 9449, section 5.
 */
export function parseTokenResponse(body: unknown, expected: { readonly dpopBound: boolean }): TokenResponse {
  const parsed = tokenResponse.safeParse(body)
  if (!parsed.success) throw malformedAnswer(parsed.error)
  const { data } = parsed
  const details = data.authorization_details === undefined ? undefined : detailsOf(data.authorization_details)
  if (data.authorization_details !== undefined && details === undefined) {
    throw new VerificationError('answer_malformed', 'The member authorization_details is malformed.')
  }
  return {
    accessToken: data.access_token,
    tokenType: parseTokenType(data.token_type, expected.dpopBound),
    expiresInSeconds: data.expires_in,
    refreshToken: data.refresh_token,
    scope: data.scope,
    authorizationDetails: details,
  }
}

function parseTokenType(tokenType: string, dpopBound: boolean): 'DPoP' | 'Bearer' {
  const lower = tokenType.toLowerCase()
  if (lower === 'dpop') return 'DPoP'
  if (dpopBound) throw new VerificationError('token_type_not_dpop', 'The token is not bound to our key.')
  if (lower === 'bearer') return 'Bearer'
  throw new VerificationError('answer_malformed', 'The member token_type names an unknown type.')
}

/** An error answer. */
export interface ErrorResponse {
  readonly error: string
  readonly errorDescription?: string | undefined
  readonly errorUri?: string | undefined
}

const errorResponse = z.looseObject({
  error: z
    .string()
    .regex(/^[\x20-\x21\x23-\x5b\x5d-\x7e]{1,128}$/)
    .optional(),
  error_code: z
    .string()
    .regex(/^[\x20-\x21\x23-\x5b\x5d-\x7e]{1,128}$/)
    .optional(),
  error_description: z.string().max(2048).optional(),
  error_uri: z.string().max(2048).optional(),
})

/**
 * Writes an error answer.
 *
 * Source: RFC 6749, section 5.2.
 */
export function createErrorResponse(response: ErrorResponse): JsonObject {
  return jsonMembers({
    error: response.error,
    error_description: response.errorDescription,
    error_uri: response.errorUri,
  })
}

/**
 * Parses an error answer; where `error` is absent, `error_code` is read.
 *
 * @throws {VerificationError} `answer_malformed` when it carries neither.
 *
 * Source: RFC 6749, section 5.2; requirements/headless-presentation.md, 'Member name'.
 */
export function parseErrorResponse(body: unknown): ErrorResponse {
  const parsed = errorResponse.safeParse(body)
  if (!parsed.success) throw malformedAnswer(parsed.error)
  const error = parsed.data.error ?? parsed.data.error_code
  if (error === undefined) throw new VerificationError('answer_malformed', 'The member error is missing.')
  return { error, errorDescription: parsed.data.error_description, errorUri: parsed.data.error_uri }
}
