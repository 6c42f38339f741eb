/**
 * Token introspection: a resource asks the issuer about a token it cannot read.
 *
 * Owns request and answer, both halves. The asking resource authenticates itself; it sends no DPoP proof for
 * the token, since it does not hold the key.
 *
 * Source: RFC 7662, section 2; RFC 9449, section 6.2; RFC 8705, section 3.2.
 *
 * @module
 */
import { type JsonObject, type NumericDate, VerificationError } from '@attache/core'
import { z } from 'zod'
import { createConfirmation, parseConfirmation } from './access-token.js'
import { type FormParameters, formParameters, requiredParameter } from './form.js'
import { jsonMembers, malformedAnswer } from './message-members.js'
import type { Confirmation } from './protected-request.js'

/** What the issuer says: nothing about a token that is not good, whatever the reason. */
export type IntrospectionResponse =
  | { readonly active: false }
  | {
      readonly active: true
      readonly scope?: string | undefined
      readonly clientId?: string | undefined
      readonly subject?: string | undefined
      readonly issuer?: string | undefined
      readonly audience?: string | undefined
      readonly expiresAt?: NumericDate | undefined
      readonly confirmation: Confirmation
    }

/**
 * Writes the request for one token.
 *
 * Source: RFC 7662, section 2.1.
 */
export function createIntrospectionRequest(token: string): FormParameters {
  return formParameters({ token })
}

/**
 * Parses the request; `token_type_hint` is ignored, as the standard allows.
 *
 * @throws {ProtocolError} `invalid_request` when no token is sent.
 *
 * Source: RFC 7662, section 2.1.
 */
export function parseIntrospectionRequest(form: FormParameters): string {
  return requiredParameter(form, 'token')
}

/**
 * Writes the answer; a DPoP-bound token is told by `cnf` and by its `token_type`.
 *
 * Source: RFC 7662, section 2.2; RFC 9449, section 6.2.
 */
export function createIntrospectionResponse(response: IntrospectionResponse): JsonObject {
  if (!response.active) return { active: false }
  const { jkt, certificateThumbprint } = response.confirmation
  const bound = jkt !== undefined || certificateThumbprint !== undefined
  return jsonMembers({
    active: true,
    scope: response.scope,
    client_id: response.clientId,
    sub: response.subject,
    iss: response.issuer,
    aud: response.audience,
    exp: response.expiresAt,
    token_type: jkt === undefined ? 'Bearer' : 'DPoP',
    cnf: bound ? createConfirmation(response.confirmation) : undefined,
  })
}

const introspection = z.looseObject({
  active: z.boolean(),
  scope: z.string().optional(),
  client_id: z.string().optional(),
  sub: z.string().optional(),
  iss: z.string().optional(),
  aud: z.string().optional(),
  exp: z.number().optional(),
  token_type: z.string().optional(),
  cnf: z.record(z.string(), z.json()).optional(),
})

/**
 * Parses the answer.
 *
 * @throws {VerificationError} `answer_malformed`, also when `token_type` contradicts `cnf`.
 * @throws {ProtocolError} `invalid_token` for a confirmation method that is not known here.
 *
 * Source: RFC 7662, section 2.2; RFC 9449, section 6.2.
 */
export function parseIntrospectionResponse(body: unknown): IntrospectionResponse {
  const parsed = introspection.safeParse(body)
  if (!parsed.success) throw malformedAnswer(parsed.error)
  const { data } = parsed
  if (!data.active) return { active: false }
  const confirmation = parseConfirmation(data.cnf === undefined ? undefined : jsonMembers(data.cnf))
  if (
    data.token_type !== undefined &&
    (data.token_type.toLowerCase() === 'dpop') !== (confirmation.jkt !== undefined)
  ) {
    throw new VerificationError('answer_malformed', 'The token_type contradicts the cnf of the token.')
  }
  return {
    active: true,
    scope: data.scope,
    clientId: data.client_id,
    subject: data.sub,
    issuer: data.iss,
    audience: data.aud,
    expiresAt: data.exp,
    confirmation,
  }
}
