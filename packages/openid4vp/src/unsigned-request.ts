/**
 * Unsigned requests: bare parameters, or a request object with `alg` `none`. Nothing says who asks.
 *
 * Owns reading them for the one prefix that allows them, `redirect_uri`, whose identifier is the address that
 * answers go to. Whether a wallet takes such requests at all is its own switch; the rule for the address is in
 * `response-uri.ts`. Nothing here verifies a signature, and nothing signed is read here.
 *
 * Source: OpenID4VP 1.0, sections 5, 5.8 and 5.9.3; RFC 9101, section 4.
 *
 * @module
 */
import {
  decodeBase64url,
  decodeUtf8,
  isJsonObject,
  type JsonObject,
  member,
  type NumericDate,
  parseJson,
  VerificationError,
} from '@attache/core'
import { checkTimes } from '@attache/keys'
import { type AuthorizationRequest, parseAuthorizationRequest } from './authorization-request.js'
import { parseClientIdentifier } from './client-identifier.js'

/** What a wallet expects of an unsigned request. */
export interface UnsignedExpectation {
  /** The `client_id` beside the request object. */
  readonly clientId: string
  /** Accepted `aud` values; an unsigned object may have none. */
  readonly audiences: readonly string[]
  /** The nonce sent with the request_uri POST. */
  readonly walletNonce?: string
  /** Whether an object without `typ` is read: against OpenID4VP 1.0, section 5, for tests of peers alone. */
  readonly untyped: boolean
  readonly now: NumericDate
}

const TYPE = 'oauth-authz-req+jwt'
const MOST_BYTES = 65_536

/** Whether a request object says of itself that it is unsigned. */
export function isUnsignedRequestObject(text: string): boolean {
  const [header = '', , signature, ...more] = text.split('.', 4)
  return signature === '' && more.length === 0 && member(jsonOf(header) ?? {}, 'alg') === 'none'
}

/**
 * Reads an unsigned request object.
 *
 * @throws {VerificationError} `malformed`, `typ`, `client_id_mismatch`, `invalid_request` (a prefix other than
 *   `redirect_uri`), `aud`, `wallet_nonce`, `expired`: nothing is sent.
 * @throws {ProtocolError} As {@link parseAuthorizationRequest}.
 *
 * Source: OpenID4VP 1.0, sections 5, 5.8 and 5.9.3.
 */
export function readUnsignedRequestObject(text: string, expected: UnsignedExpectation): AuthorizationRequest {
  if (text.length > MOST_BYTES) throw new VerificationError('limits', 'The Request Object is too large.')
  const [head = '', body = ''] = text.split('.', 3)
  const [header, payload] = [jsonOf(head), jsonOf(body)]
  if (header === undefined || payload === undefined || !isUnsignedRequestObject(text)) {
    throw new VerificationError('malformed', 'The Request Object is no JWT.')
  }
  const typ = member(header, 'typ')
  if (typ !== TYPE && !(typ === undefined && expected.untyped)) {
    throw new VerificationError('typ', 'The Request Object is not of type oauth-authz-req+jwt.')
  }
  if (member(payload, 'client_id') !== expected.clientId) {
    throw new VerificationError('client_id_mismatch', 'The client_id inside and outside the request differ.')
  }
  checkClaims(payload, expected)
  return readUnsignedParameters(payload)
}

/**
 * Reads bare parameters, of a URL or of an unsigned object.
 *
 * @throws {VerificationError} `invalid_request`: the client has another prefix than `redirect_uri`.
 * @throws {ProtocolError} As {@link parseAuthorizationRequest}.
 *
 * Source: OpenID4VP 1.0, sections 5.1 and 5.9.3.
 */
export function readUnsignedParameters(parameters: JsonObject): AuthorizationRequest {
  const { prefix } = parseClientIdentifier(member(parameters, 'client_id'), () => true)
  if (prefix !== 'redirect_uri') {
    throw new VerificationError('invalid_request', 'A client of this prefix signs its requests.')
  }
  const nested = ['request', 'request_uri', 'request_uri_method'].some((name) =>
    Object.hasOwn(parameters, name),
  )
  if (nested) throw new VerificationError('malformed', 'The Request Object refers to another request.')
  return parseAuthorizationRequest(parameters)
}

function checkClaims(payload: JsonObject, expected: UnsignedExpectation): void {
  const audience = member(payload, 'aud')
  if (audience !== undefined && !expected.audiences.some((known) => known === audience)) {
    throw new VerificationError('aud', 'The Request Object is made for another wallet.')
  }
  if (expected.walletNonce !== undefined && member(payload, 'wallet_nonce') !== expected.walletNonce) {
    throw new VerificationError('wallet_nonce', 'The Request Object does not repeat the wallet_nonce.')
  }
  try {
    checkTimes(payload, expected.now)
  } catch (cause) {
    throw new VerificationError('expired', 'The Request Object is outside its validity.', { cause })
  }
}

function jsonOf(segment: string): JsonObject | undefined {
  const bytes = decodeBase64url(segment)
  const text = bytes === undefined ? undefined : decodeUtf8(bytes)
  const parsed = text === undefined ? undefined : parseJson(text)
  return parsed?.ok === true && isJsonObject(parsed.value) ? parsed.value : undefined
}
