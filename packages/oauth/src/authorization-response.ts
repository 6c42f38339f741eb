/**
 * Authorization responses: the code or the error that comes back through the redirect URI.
 *
 * Owns both halves and the defence against mix-up: the response names its issuer.
 *
 * Source: RFC 6749, section 4.1.2; RFC 9207, sections 2 to 2.4.
 *
 * @module
 */
import { VerificationError } from '@attache/core'
import { encodeForm, formParameters } from './form.js'

/** A code, or why there is none. */
export type AuthorizationResponse =
  | { readonly kind: 'code'; readonly code: string }
  | { readonly kind: 'error'; readonly error: string; readonly errorDescription?: string | undefined }

/**
 * The URL that carries a response back to the client.
 *
 * @param context.issuer Identifier of this server; always sent.
 *
 * Source: RFC 6749, sections 4.1.2 and 4.1.2.1; RFC 9207, section 2.
 */
export function createAuthorizationResponse(
  response: AuthorizationResponse,
  context: { readonly redirectUri: string; readonly state?: string | undefined; readonly issuer: string },
): string {
  const query = formParameters({
    ...(response.kind === 'code'
      ? { code: response.code }
      : { error: response.error, error_description: response.errorDescription }),
    state: context.state,
    iss: context.issuer,
  })
  return `${context.redirectUri}${context.redirectUri.includes('?') ? '&' : '?'}${encodeForm(query)}`
}

/**
 * Parses a response. State and issuer are compared first, for codes and for errors.
 *
 * @param url The redirect URI as it was called.
 * @param expected.state The state sent in the request; nothing when none was sent.
 * @param expected.issuerRequired Whether the server's metadata announces
 *   `authorization_response_iss_parameter_supported`.
 * @throws {VerificationError} `authorization_response_state`, `authorization_response_issuer`,
 *   `answer_malformed`.
 *
 * Source: RFC 6749, section 4.1.2; RFC 9207, section 2.4.
 */
export function parseAuthorizationResponse(
  url: string,
  expected: {
    readonly state?: string | undefined
    readonly issuer: string
    readonly issuerRequired: boolean
  },
): AuthorizationResponse {
  if (!URL.canParse(url)) throw new VerificationError('answer_malformed', 'The redirect URI is no URL.')
  const read = singleParameters(new URL(url).searchParams)
  if (read('state') !== expected.state) {
    throw new VerificationError('authorization_response_state', 'The response answers another request.')
  }
  const issuer = read('iss')
  if (issuer === undefined ? expected.issuerRequired : issuer !== expected.issuer) {
    throw new VerificationError('authorization_response_issuer', 'The response comes from another issuer.')
  }
  const [code, error] = [read('code'), read('error')]
  if (code !== undefined && error === undefined) return { kind: 'code', code }
  if (code === undefined && error !== undefined) {
    return { kind: 'error', error, errorDescription: read('error_description') }
  }
  throw new VerificationError('answer_malformed', 'The response carries neither one code nor one error.')
}

function singleParameters(query: URLSearchParams): (name: string) => string | undefined {
  return (name) => {
    const values = query.getAll(name)
    if (values.length > 1) throw new VerificationError('answer_malformed', `The response repeats ${name}.`)
    return values[0] === '' ? undefined : values[0]
  }
}
