/**
 * Token requests: a code, a pre-authorized code or a refresh token against an access token.
 *
 * Owns the form, both halves. Client authentication and DPoP travel in header fields and have their own files.
 *
 * Source: RFC 6749, sections 4.1.3 and 6; RFC 7636, section 4.5; OpenID4VCI 1.0, section 6.1.
 *
 * @module
 */
import { type JsonObject, ProtocolError } from '@attache/core'
import { parseResource, parseScope } from './authorization-request.js'
import {
  authorizationDetailsParameter,
  type FormParameters,
  formParameters,
  optionalParameter,
  requiredParameter,
} from './form.js'
import { readable } from './message-members.js'

/** Grant type of a code that came with a credential offer. */
export const PRE_AUTHORIZED_CODE_GRANT = 'urn:ietf:params:oauth:grant-type:pre-authorized_code'

interface AnyTokenRequest {
  /** Absent only where client authentication names the client. */
  readonly clientId?: string | undefined
  readonly scope?: string | undefined
  readonly resource?: string | undefined
  readonly authorizationDetails?: readonly JsonObject[] | undefined
}

/** A code from an authorization or challenge response. */
export interface AuthorizationCodeTokenRequest extends AnyTokenRequest {
  readonly grantType: 'authorization_code'
  readonly code: string
  readonly codeVerifier?: string | undefined
  /** Only when the authorization request carried one. */
  readonly redirectUri?: string | undefined
}

/** A code from a credential offer. */
export interface PreAuthorizedCodeTokenRequest extends AnyTokenRequest {
  readonly grantType: 'pre-authorized_code'
  readonly preAuthorizedCode: string
  /** Transaction code, sent to the holder on another channel. */
  readonly txCode?: string | undefined
}

/** A refresh token. */
export interface RefreshTokenRequest extends AnyTokenRequest {
  readonly grantType: 'refresh_token'
  readonly refreshToken: string
}

/** One of the three. */
export type TokenRequest = AuthorizationCodeTokenRequest | PreAuthorizedCodeTokenRequest | RefreshTokenRequest

/**
 * Writes a token request.
 *
 * @throws {TypeError} `message_unusable` for a value that the server would have to refuse.
 *
 * Source: RFC 6749, section 4.1.3; OpenID4VCI 1.0, section 6.1.
 */
export function createTokenRequest(request: TokenRequest): FormParameters {
  const details = request.authorizationDetails
  const form = formParameters({
    ...grantParameters(request),
    client_id: request.clientId,
    scope: request.scope,
    resource: request.resource,
    authorization_details: details === undefined ? undefined : JSON.stringify(details),
  })
  return readable(form, parseTokenRequest)
}

function grantParameters(request: TokenRequest): Record<string, string | undefined> {
  switch (request.grantType) {
    case 'authorization_code':
      return {
        grant_type: 'authorization_code',
        code: request.code,
        code_verifier: request.codeVerifier,
        redirect_uri: request.redirectUri,
      }
    case 'pre-authorized_code':
      return {
        grant_type: PRE_AUTHORIZED_CODE_GRANT,
        'pre-authorized_code': request.preAuthorizedCode,
        tx_code: request.txCode,
      }
    case 'refresh_token':
      return { grant_type: 'refresh_token', refresh_token: request.refreshToken }
  }
}

/**
 * Parses a token request; unknown parameters are ignored.
 *
 * @throws {ProtocolError} `unsupported_grant_type`, `invalid_request`, `invalid_scope`, `invalid_target`,
 *   `invalid_authorization_details`.
 *
 * Source: RFC 6749, sections 4.1.3, 5.2 and 6; OpenID4VCI 1.0, sections 6.1 and 6.3.
 */
export function parseTokenRequest(form: FormParameters): TokenRequest {
  const shared = {
    clientId: optionalParameter(form, 'client_id'),
    scope: parseScope(form),
    resource: parseResource(form),
    authorizationDetails: authorizationDetailsParameter(form),
  }
  switch (requiredParameter(form, 'grant_type')) {
    case 'authorization_code':
      return {
        ...shared,
        grantType: 'authorization_code',
        code: requiredParameter(form, 'code'),
        codeVerifier: optionalParameter(form, 'code_verifier'),
        redirectUri: optionalParameter(form, 'redirect_uri'),
      }
    case PRE_AUTHORIZED_CODE_GRANT:
      return {
        ...shared,
        grantType: 'pre-authorized_code',
        preAuthorizedCode: requiredParameter(form, 'pre-authorized_code'),
        txCode: optionalParameter(form, 'tx_code'),
      }
    case 'refresh_token':
      return { ...shared, grantType: 'refresh_token', refreshToken: requiredParameter(form, 'refresh_token') }
    default:
      throw new ProtocolError('unsupported_grant_type', 'This grant type is not offered here.')
  }
}
