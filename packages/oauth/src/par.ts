/**
 * Pushed authorization requests: the request goes to the server directly, only its name goes through a browser.
 *
 * Owns request and answer, both halves, and the URL that follows. Storing the request is the role's.
 *
 * Source: RFC 9126, sections 2 and 4.
 *
 * @module
 */
import { type JsonObject, ProtocolError } from '@attache/core'
import { z } from 'zod'
import {
  type AuthorizationRequest,
  createAuthorizationRequest,
  parseAuthorizationRequest,
} from './authorization-request.js'
import { encodeForm, type FormParameters, formParameters, requiredParameter } from './form.js'
import { malformedAnswer } from './message-members.js'

/** How request URIs of this server begin. */
export const REQUEST_URI_PREFIX = 'urn:ietf:params:oauth:request_uri:'

/** Where the pushed request is kept, and for how long. */
export interface PushedAuthorizationResponse {
  readonly requestUri: string
  /** Lifetime in seconds. */
  readonly expiresInSeconds: number
}

/**
 * Writes a pushed authorization request: the same parameters as at the authorization endpoint.
 *
 * Source: RFC 9126, section 2.1.
 */
export function createPushedAuthorizationRequest(request: AuthorizationRequest): FormParameters {
  return createAuthorizationRequest(request)
}

/**
 * Parses a pushed authorization request.
 *
 * @throws {ProtocolError} `invalid_request` when it pushes a `request_uri`; else as `parseAuthorizationRequest`.
 *
 * Source: RFC 9126, section 2.1.
 */
export function parsePushedAuthorizationRequest(form: FormParameters): AuthorizationRequest {
  if (form.has('request_uri')) {
    throw new ProtocolError('invalid_request', 'A pushed authorization request carries no request_uri.')
  }
  return parseAuthorizationRequest(form)
}

/**
 * Writes the answer, which travels with status 201.
 *
 * Source: RFC 9126, section 2.2.
 */
export function createPushedAuthorizationResponse(response: PushedAuthorizationResponse): JsonObject {
  return { request_uri: response.requestUri, expires_in: response.expiresInSeconds }
}

const pushedResponse = z.looseObject({
  request_uri: z.string().min(1).max(2048),
  expires_in: z.int().positive(),
})

/**
 * Parses the answer.
 *
 * @throws {VerificationError} `answer_malformed`.
 *
 * Source: RFC 9126, section 2.2.
 */
export function parsePushedAuthorizationResponse(body: unknown): PushedAuthorizationResponse {
  const parsed = pushedResponse.safeParse(body)
  if (!parsed.success) throw malformedAnswer(parsed.error)
  return { requestUri: parsed.data.request_uri, expiresInSeconds: parsed.data.expires_in }
}

/**
 * The URL that a browser is sent to after a request was pushed.
 *
 * Source: RFC 9126, section 4.
 */
export function createPushedAuthorizationUrl(
  authorizationEndpoint: string,
  reference: { readonly clientId: string; readonly requestUri: string },
): string {
  const query = encodeForm(
    formParameters({ client_id: reference.clientId, request_uri: reference.requestUri }),
  )
  return `${authorizationEndpoint}${authorizationEndpoint.includes('?') ? '&' : '?'}${query}`
}

/**
 * Parses what a browser brings to the authorization endpoint after a request was pushed.
 *
 * @throws {ProtocolError} `invalid_request` when a parameter is missing; `invalid_request_uri` for a reference
 *   that is not one of ours.
 *
 * Source: RFC 9126, section 4.
 */
export function parsePushedAuthorizationReference(form: FormParameters): {
  readonly clientId: string
  readonly requestUri: string
} {
  const clientId = requiredParameter(form, 'client_id')
  const requestUri = requiredParameter(form, 'request_uri')
  if (requestUri.startsWith(REQUEST_URI_PREFIX)) return { clientId, requestUri }
  throw new ProtocolError('invalid_request_uri', 'The request_uri was not handed out here.')
}
