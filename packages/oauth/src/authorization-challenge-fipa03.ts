/**
 * The authorization challenge endpoint: an authorization code without a browser, in as many rounds as it takes.
 *
 * Owns the envelope of requests and answers, both halves, pinned to one draft and named by it. What an
 * interaction says (`openid4vp_request`, `openid4vp_response`) passes through unread; openid4vp owns it.
 *
 * Source: draft-ietf-oauth-first-party-apps-03, sections 4 and 5; OpenID4VCI 1.1 draft, section 6.
 *
 * @module
 */
import { isJsonObject, type JsonObject, member, ProtocolError, VerificationError } from '@attache/core'
import { z } from 'zod'
import {
  type AuthorizationRequest,
  createAuthorizationRequest,
  parseAuthorizationRequest,
} from './authorization-request.js'
import { type FormParameters, formParameters, optionalParameter, requiredParameter } from './form.js'
import { jsonMembers, malformedAnswer, readable } from './message-members.js'
import { parseErrorResponse } from './token-response.js'

/** The first request of a sequence. */
export interface InitialChallengeRequest {
  readonly kind: 'initial'
  readonly request: AuthorizationRequest
  /** Interactions the client can take part in, as URNs. */
  readonly interactionTypesSupported: readonly string[]
}

/** An answer to a demand of the server. */
export interface FollowUpChallengeRequest {
  readonly kind: 'follow_up'
  /** As in the latest answer. */
  readonly authSession: string
  readonly clientId?: string | undefined
  /** Parameters of the interaction, for example `openid4vp_response`. */
  readonly interaction: FormParameters
}

/** A request to the challenge endpoint. */
export type AuthorizationChallengeRequest = InitialChallengeRequest | FollowUpChallengeRequest

const OWN_PARAMETERS = new Set(['auth_session', 'client_id'])

/**
 * Writes a request.
 *
 * @throws {TypeError} `message_unusable` for a value that the server would have to refuse.
 *
 * Source: first-party apps -03, section 5.1; OpenID4VCI 1.1 draft, section 6.1.
 */
export function createAuthorizationChallengeRequest(request: AuthorizationChallengeRequest): FormParameters {
  if (request.kind === 'initial') {
    const types = request.interactionTypesSupported.join(',')
    const offer = formParameters({ interaction_types_supported: types })
    const form = new Map([...createAuthorizationRequest(request.request), ...offer])
    return readable(form, parseAuthorizationChallengeRequest)
  }
  const own = formParameters({ auth_session: request.authSession, client_id: request.clientId })
  return readable(new Map([...request.interaction, ...own]), parseAuthorizationChallengeRequest)
}

/**
 * Parses a request; one with an `auth_session` continues a sequence.
 *
 * @throws {ProtocolError} `invalid_request`, or as `parseAuthorizationRequest`.
 *
 * Source: first-party apps -03, section 5.1; OpenID4VCI 1.1 draft, section 6.1.1.
 */
export function parseAuthorizationChallengeRequest(form: FormParameters): AuthorizationChallengeRequest {
  const authSession = optionalParameter(form, 'auth_session')
  if (authSession !== undefined) {
    const interaction = new Map(
      [...form].filter(([name, value]) => !OWN_PARAMETERS.has(name) && value !== ''),
    )
    return { kind: 'follow_up', authSession, clientId: optionalParameter(form, 'client_id'), interaction }
  }
  const interactionTypesSupported = requiredParameter(form, 'interaction_types_supported').split(',')
  if (interactionTypesSupported.some((type) => !/^[\x21-\x2b\x2d-\x7e]+$/.test(type))) {
    throw new ProtocolError(
      'invalid_request',
      'Send interaction_types_supported as URNs with commas between them.',
    )
  }
  return { kind: 'initial', request: parseAuthorizationRequest(form), interactionTypesSupported }
}

/** A further step is needed. */
export interface InsufficientAuthorization {
  readonly kind: 'insufficient_authorization'
  readonly authSession: string
  /** One of the interactions the client offered. */
  readonly interactionTypeRequired: string
  /** Members of the interaction, for example `openid4vp_request`. */
  readonly interaction: JsonObject
}

/** What the challenge endpoint answers. */
export type AuthorizationChallengeResponse =
  | {
      readonly kind: 'code'
      readonly authorizationCode: string
      readonly authSession?: string | undefined
    }
  | InsufficientAuthorization
  | {
      readonly kind: 'error'
      readonly error: string
      readonly errorDescription?: string | undefined
      readonly authSession?: string | undefined
    }

/** Writes the answer that carries the code, for a 200. Source: first-party apps -03, section 5.2.1. */
export function createAuthorizationCodeResponse(response: {
  readonly authorizationCode: string
  readonly authSession?: string | undefined
}): JsonObject {
  return jsonMembers({ authorization_code: response.authorizationCode, auth_session: response.authSession })
}

/**
 * The answer that asks for a further step, to be thrown by the endpoint.
 *
 * Source: first-party apps -03, section 5.2.2; OpenID4VCI 1.1 draft, section 6.2.1.
 */
export function insufficientAuthorization(demand: Omit<InsufficientAuthorization, 'kind'>): ProtocolError {
  return new ProtocolError('insufficient_authorization', 'Take the step that this answer describes.', {
    members: jsonMembers({
      ...demand.interaction,
      auth_session: demand.authSession,
      interaction_type_required: demand.interactionTypeRequired,
    }),
  })
}

const codeResponseSchema = z.looseObject({
  authorization_code: z.string().min(1),
  auth_session: z.string().min(1).optional(),
})

const demandSchema = z.looseObject({
  auth_session: z.string().min(1),
  interaction_type_required: z.string().min(1),
})

/**
 * Parses an answer. Its kind is told by `error`, never by the HTTP status, which other answers share.
 *
 * @param expected.interactionTypesSupported What the client offered; anything else is refused.
 * @throws {VerificationError} `answer_malformed`, `interaction_type_not_offered`.
 *
 * Source: first-party apps -03, section 5.2; OpenID4VCI 1.1 draft, section 6.2.
 */
export function parseAuthorizationChallengeResponse(
  body: unknown,
  expected: { readonly interactionTypesSupported: readonly string[] },
): AuthorizationChallengeResponse {
  if (!isJsonObject(body)) throw new VerificationError('answer_malformed', 'The answer is not a JSON object.')
  if (member(body, 'error') === undefined && member(body, 'error_code') === undefined) {
    const parsed = codeResponseSchema.safeParse(body)
    if (!parsed.success) throw malformedAnswer(parsed.error)
    const { authorization_code: authorizationCode, auth_session: authSession } = parsed.data
    return { kind: 'code', authorizationCode, authSession }
  }
  const { error, errorDescription } = parseErrorResponse(body)
  if (error === 'insufficient_authorization') return parseDemand(body, expected.interactionTypesSupported)
  const authSession = member(body, 'auth_session')
  return {
    kind: 'error',
    error,
    errorDescription,
    authSession: typeof authSession === 'string' ? authSession : undefined,
  }
}

const DEMAND_MEMBERS = new Set([
  'error',
  'error_code',
  'error_description',
  'error_uri',
  'auth_session',
  'interaction_type_required',
])

function parseDemand(body: JsonObject, offered: readonly string[]): InsufficientAuthorization {
  const parsed = demandSchema.safeParse(body)
  if (!parsed.success) throw malformedAnswer(parsed.error)
  const { auth_session: authSession, interaction_type_required: interactionTypeRequired } = parsed.data
  if (!offered.includes(interactionTypeRequired)) {
    throw new VerificationError(
      'interaction_type_not_offered',
      'The server asks for a step we did not offer.',
    )
  }
  const interaction = jsonMembers(
    Object.fromEntries(Object.entries(body).filter(([name]) => !DEMAND_MEMBERS.has(name))),
  )
  return { kind: 'insufficient_authorization', authSession, interactionTypeRequired, interaction }
}
