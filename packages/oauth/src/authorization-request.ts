/**
 * Authorization requests: what a client asks for, in a query, a pushed request or a challenge request.
 *
 * Owns the parameters they share, both halves. The envelope is in `par.ts` and
 * `authorization-challenge-fipa03.ts`.
 *
 * Source: RFC 6749, section 4.1.1; RFC 7636, section 4.3; RFC 8707, section 2; RFC 9396, section 2;
 * RFC 9449, section 10; OpenID4VCI 1.0, section 5.
 *
 * @module
 */
import { type JsonObject, ProtocolError } from '@attache/core'
import {
  authorizationDetailsParameter,
  type FormParameters,
  formParameters,
  optionalParameter,
  requiredParameter,
} from './form.js'
import { readable } from './message-members.js'
import { CODE_CHALLENGE_METHOD, parseCodeChallenge } from './pkce.js'

/** A request for an authorization code. */
export interface AuthorizationRequest {
  /** Absent only where client authentication names the client. */
  readonly clientId?: string | undefined
  readonly redirectUri?: string | undefined
  /** Space-separated scope values. */
  readonly scope?: string | undefined
  readonly state?: string | undefined
  /** S256 challenge. */
  readonly codeChallenge?: string | undefined
  /** The resource the token will be for. */
  readonly resource?: string | undefined
  readonly authorizationDetails?: readonly JsonObject[] | undefined
  /** Thumbprint of the key that will redeem the code. */
  readonly dpopJkt?: string | undefined
  /** From a credential offer. */
  readonly issuerState?: string | undefined
}

const THUMBPRINT = /^[A-Za-z0-9_-]{43}$/
// RFC 6749, Appendix A.4: NQCHAR words, one space between them.
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$/

/**
 * Writes the parameters of an authorization request.
 *
 * @throws {TypeError} `message_unusable` for a value that the server would have to refuse.
 *
 * Source: RFC 6749, section 4.1.1.
 */
export function createAuthorizationRequest(request: AuthorizationRequest): FormParameters {
  const details = request.authorizationDetails
  const form = formParameters({
    response_type: 'code',
    client_id: request.clientId,
    redirect_uri: request.redirectUri,
    scope: request.scope,
    state: request.state,
    code_challenge: request.codeChallenge,
    code_challenge_method: request.codeChallenge === undefined ? undefined : CODE_CHALLENGE_METHOD,
    resource: request.resource,
    authorization_details: details === undefined ? undefined : JSON.stringify(details),
    dpop_jkt: request.dpopJkt,
    issuer_state: request.issuerState,
  })
  return readable(form, parseAuthorizationRequest)
}

/**
 * Parses the parameters of an authorization request; unknown ones are ignored.
 *
 * @throws {ProtocolError} `unsupported_response_type`, `invalid_scope`, `invalid_authorization_details`,
 *   `invalid_request`.
 *
 * Source: RFC 6749, sections 4.1.1 and 4.1.2.1.
 */
export function parseAuthorizationRequest(form: FormParameters): AuthorizationRequest {
  if (requiredParameter(form, 'response_type') !== 'code') {
    throw new ProtocolError('unsupported_response_type', 'Only the response type code is supported.')
  }
  return {
    clientId: optionalParameter(form, 'client_id'),
    redirectUri: optionalParameter(form, 'redirect_uri'),
    scope: parseScope(form),
    state: optionalParameter(form, 'state'),
    codeChallenge: parseCodeChallenge(form),
    resource: parseResource(form),
    authorizationDetails: authorizationDetailsParameter(form),
    dpopJkt: parseDpopJkt(form),
    issuerState: optionalParameter(form, 'issuer_state'),
  }
}

/**
 * The `scope` parameter.
 *
 * @throws {ProtocolError} `invalid_scope` when it is not a list of words with one space between them.
 *
 * Source: RFC 6749, section 3.3.
 */
export function parseScope(form: FormParameters): string | undefined {
  const scope = optionalParameter(form, 'scope')
  if (scope === undefined || SCOPE.test(scope)) return scope
  throw new ProtocolError('invalid_scope', 'Send scope as words with one space between them.')
}

/**
 * The `resource` parameter, of which we take one: a code or token is for one resource.
 *
 * @throws {ProtocolError} `invalid_target` when it is no absolute URI, or has a fragment.
 *
 * Source: RFC 8707, section 2.
 */
export function parseResource(form: FormParameters): string | undefined {
  const resource = optionalParameter(form, 'resource')
  if (resource === undefined || (URL.canParse(resource) && !resource.includes('#'))) return resource
  throw new ProtocolError('invalid_target', 'Send resource as an absolute URI without fragment.')
}

function parseDpopJkt(form: FormParameters): string | undefined {
  const jkt = optionalParameter(form, 'dpop_jkt')
  if (jkt === undefined || THUMBPRINT.test(jkt)) return jkt
  throw new ProtocolError('invalid_request', 'Send dpop_jkt as a base64url SHA-256 thumbprint.')
}

/**
 * The key a code will be bound to: by parameter, by proof, or by both when they agree.
 *
 * @param proofJkt Thumbprint of the verified DPoP proof that came with the request.
 * @throws {ProtocolError} `invalid_dpop_proof` when the two differ.
 *
 * Source: RFC 9449, sections 10 and 10.1.
 */
export function dpopKeyOfRequest(
  request: Pick<AuthorizationRequest, 'dpopJkt'>,
  proofJkt: string | undefined,
): string | undefined {
  if (request.dpopJkt !== undefined && proofJkt !== undefined && request.dpopJkt !== proofJkt) {
    throw new ProtocolError('invalid_dpop_proof', 'The dpop_jkt is not the key of the DPoP proof.')
  }
  return request.dpopJkt ?? proofJkt
}

/**
 * Requires that a code, pushed request or refresh token is used with the key it remembers.
 *
 * @param boundJkt Remembered thumbprint; nothing when it was not bound.
 * @throws {ProtocolError} `invalid_grant`.
 *
 * Source: RFC 9449, sections 5 and 10.
 */
export function requireBoundKey(boundJkt: string | undefined, jkt: string | undefined): void {
  if (boundJkt === undefined || boundJkt === jkt) return
  throw new ProtocolError('invalid_grant', 'The grant is bound to another key.')
}
