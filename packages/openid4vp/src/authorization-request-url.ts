/**
 * A request as a URL: all parameters in it (by value), or a reference to a request object.
 *
 * Both halves: the verifier makes the URL, the wallet reads it.
 *
 * Source: OpenID4VP 1.0, sections 5.1, 5.4 and 5.7; RFC 9101, section 5.
 *
 * @module
 */
import {
  type JsonObject,
  type JsonValue,
  ProtocolError,
  parseJson,
  setMember,
  VerificationError,
} from '@attache/core'
import { type AuthorizationRequest, encodeAuthorizationRequest } from './authorization-request.js'

/** What a wallet is handed: a reference, a request object, or bare parameters. */
export type RequestHandover =
  | {
      readonly kind: 'reference'
      readonly clientId: string
      readonly requestUri: string
      readonly method: 'get' | 'post'
      /** Parameters beside the reference: tolerated, and used for nothing but capabilities. */
      readonly outer: JsonObject
    }
  | { readonly kind: 'object'; readonly clientId: string; readonly requestObject: string }
  | { readonly kind: 'parameters'; readonly clientId: string; readonly parameters: JsonObject }

const OBJECT_PARAMETERS = ['dcql_query', 'client_metadata', 'transaction_data', 'verifier_info']
const MOST_CHARACTERS = 65_536

/**
 * Makes the URL of a request by reference: `client_id`, `request_uri` and, for `post`, `request_uri_method`.
 *
 * @param base Where the wallet listens, for example `openid4vp://`.
 *
 * Source: OpenID4VP 1.0, sections 5.1 and 5.7.
 */
export function requestUrlByReference(
  base: string,
  reference: { readonly clientId: string; readonly requestUri: string; readonly method: 'get' | 'post' },
): string {
  const query = new URLSearchParams({ client_id: reference.clientId, request_uri: reference.requestUri })
  if (reference.method === 'post') query.set('request_uri_method', 'post')
  return appendQuery(base, query)
}

/**
 * Makes the URL of a signed request by value: `client_id` and `request`. Long for a QR code, and without the wallet's
 * nonce; for wallets that fetch nothing.
 *
 * Source: OpenID4VP 1.0, section 5.4; RFC 9101, section 5.1.
 */
export function requestUrlWithObject(
  base: string,
  signed: { readonly clientId: string; readonly requestObject: string },
): string {
  return appendQuery(base, new URLSearchParams({ client_id: signed.clientId, request: signed.requestObject }))
}

/**
 * Makes the URL of an unsigned request: every parameter in it, objects as JSON text.
 *
 * Source: OpenID4VP 1.0, section 5.1.
 */
export function requestUrlByValue(base: string, request: AuthorizationRequest): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(encodeAuthorizationRequest(request))) {
    query.set(name, typeof value === 'string' ? value : JSON.stringify(value))
  }
  return appendQuery(base, query)
}

function appendQuery(base: string, query: URLSearchParams): string {
  return `${base}${base.includes('?') ? '&' : '?'}${query}`
}

/**
 * Reads what a wallet was handed, from a URL.
 *
 * @throws {VerificationError} `malformed`: no client_id, a parameter twice, both `request` and `request_uri`.
 * `limits`: too long.
 * @throws {ProtocolError} `invalid_request_uri_method`: neither `get` nor `post`, or without `request_uri`.
 *
 * Source: OpenID4VP 1.0, section 5.1; RFC 9101, section 5; RFC 6749, section 3.1.
 */
export function parseRequestUrl(url: string): RequestHandover {
  if (url.length > MOST_CHARACTERS) throw new VerificationError('limits', 'The request URL is too long.')
  const mark = url.indexOf('?')
  const end = url.indexOf('#', mark)
  const query = mark === -1 ? '' : url.slice(mark + 1, end === -1 ? undefined : end)
  const parameters: Record<string, JsonValue> = {}
  for (const [name, value] of new URLSearchParams(query)) {
    if (Object.hasOwn(parameters, name)) throw malformed('a parameter is given twice')
    setMember(parameters, name, OBJECT_PARAMETERS.includes(name) ? parseParameter(value) : value)
  }
  return parseHandover(parameters)
}

function parseParameter(text: string): JsonValue {
  const parsed = parseJson(text)
  if (!parsed.ok) throw malformed('an object parameter is not JSON')
  return parsed.value
}

/**
 * Reads what a wallet was handed, from parameters (a URL's, or the members of an API's challenge).
 *
 * @throws {VerificationError} `malformed`.
 * @throws {ProtocolError} `invalid_request_uri_method`.
 *
 * Source: OpenID4VP 1.0, section 5.1; RFC 9101, section 5.
 */
export function parseHandover(parameters: JsonObject): RequestHandover {
  const {
    client_id: clientId,
    request,
    request_uri: requestUri,
    request_uri_method: method,
    ...outer
  } = parameters
  if (typeof clientId !== 'string' || clientId === '') throw malformed('client_id is missing')
  if (request !== undefined && requestUri !== undefined)
    throw malformed('request and request_uri are both given')
  if (method !== undefined && (requestUri === undefined || (method !== 'get' && method !== 'post'))) {
    throw new ProtocolError(
      'invalid_request_uri_method',
      'request_uri_method is neither get nor post beside a request_uri. Correct or leave it out.',
    )
  }
  if (requestUri !== undefined) {
    if (typeof requestUri !== 'string') throw malformed('request_uri is not a text')
    return { kind: 'reference', clientId, requestUri, method: method ?? 'get', outer }
  }
  if (request === undefined) return { kind: 'parameters', clientId, parameters }
  if (typeof request !== 'string') throw malformed('request is not a text')
  return { kind: 'object', clientId, requestObject: request }
}

function malformed(what: string): VerificationError {
  return new VerificationError('malformed', `The request cannot be read: ${what}.`)
}
