/**
 * Presentation during an authorization challenge: the members `openid4vp_request` and `openid4vp_response`.
 *
 * Owns both halves of the `ia_post` and `ia_post.jwt` modes and the audience of key binding there. The
 * challenge messages that carry the members are the OAuth room's. Pinned at one draft, as the file's name
 * says; where that draft contradicts itself, the rule taken is written at the function.
 *
 * Source: OpenID4VCI 1.1 draft -01, section 6 and Appendix A; OpenID4VP 1.0, Appendix A.
 *
 * @module
 */
import {
  isJsonObject,
  type JsonObject,
  type JsonValue,
  member,
  ProtocolError,
  parseJson,
  VerificationError,
} from '@attache/core'
import {
  type AuthorizationRequest,
  encodeAuthorizationRequest,
  parseAuthorizationRequest,
} from './authorization-request.js'
import {
  parseResponseParameters,
  type ReceivedResponse,
  responseParameters,
  type WalletAnswer,
} from './authorization-response.js'
import { encryptResponse } from './response-encryption.js'

/** The interaction type: an OpenID4VP presentation. */
export const IA_OPENID4VP_PRESENTATION = 'urn:openid:dcp:ia:openid4vp_presentation'

/** The `openid4vp_request` member: signed, or bare parameters. */
export type IaRequest =
  | { readonly kind: 'signed'; readonly requestObject: string }
  | { readonly kind: 'unsigned'; readonly request: AuthorizationRequest }

/**
 * Writes the `openid4vp_request` member.
 *
 * Source: OpenID4VCI 1.1 draft -01, section 6.2.1.1; OpenID4VP 1.0, Appendix A.3.
 */
export function encodeIaRequest(request: IaRequest): JsonObject {
  if (request.kind === 'signed') return { request: request.requestObject }
  return encodeAuthorizationRequest({ ...request.request, clientId: undefined })
}

/**
 * Reads the `openid4vp_request` member. A `client_id` in an unsigned request means nothing and is dropped.
 *
 * @throws {ProtocolError} `invalid_request`: neither a signed request nor parameters of an `ia_post` mode.
 *
 * Source: OpenID4VCI 1.1 draft -01, section 6.2.1.1.
 */
export function parseIaRequest(value: JsonValue | undefined): IaRequest {
  if (!isJsonObject(value))
    throw new ProtocolError('invalid_request', 'openid4vp_request is no object. Send one.')
  const requestObject = member(value, 'request')
  if (typeof requestObject === 'string') return { kind: 'signed', requestObject }
  const request = parseAuthorizationRequest(value)
  checkIaMode(request)
  return { kind: 'unsigned', request: { ...request, clientId: undefined } }
}

/**
 * Checks that a request belongs to the challenge route: mode `ia_post` or `ia_post.jwt`, and made for the
 * origin of the endpoint it came from.
 *
 * @param request A verified signed request, or an unsigned one.
 * @param expected.endpoint The challenge endpoint, from metadata the wallet fetched itself.
 * @param expected.signed Signed requests must name their origins; unsigned ones may.
 * @throws {ProtocolError} `invalid_request`: another mode, or response parameters of other modes.
 * @throws {VerificationError} `expected_origins`: made for somebody else; nothing is sent.
 *
 * Source: OpenID4VCI 1.1 draft -01, section 6.2.1.1; OpenID4VP 1.0, Appendix A.2.
 */
export function checkIaRequest(
  request: AuthorizationRequest,
  expected: { readonly endpoint: string; readonly signed: boolean },
): void {
  checkIaMode(request)
  const { origin } = new URL(expected.endpoint)
  const origins = request.expectedOrigins
  if (origins === undefined ? expected.signed : !origins.includes(origin)) {
    throw new VerificationError('expected_origins', 'The request was made for another origin.')
  }
}

function checkIaMode(request: AuthorizationRequest): void {
  if (request.responseMode !== 'ia_post' && request.responseMode !== 'ia_post.jwt') {
    throw new ProtocolError(
      'invalid_request',
      'The response mode does not belong here. Use ia_post or ia_post.jwt.',
    )
  }
}

/**
 * Makes the `openid4vp_response` parameter: JSON text, its content encrypted for `ia_post.jwt`.
 *
 * @throws {ProtocolError} `invalid_request`: the verifier cannot be encrypted to.
 *
 * Source: OpenID4VCI 1.1 draft -01, section 6.2.1.1.
 */
export async function encodeIaResponse(request: AuthorizationRequest, answer: WalletAnswer): Promise<string> {
  const parameters = responseParameters({ ...request, state: undefined }, answer)
  if (request.responseMode !== 'ia_post.jwt' || 'error' in answer) return JSON.stringify(parameters)
  return JSON.stringify({ response: await encryptResponse(parameters, request.clientMetadata) })
}

/**
 * Reads the `openid4vp_response` parameter.
 *
 * @throws {ProtocolError} `invalid_request`: no JSON object.
 * @throws {VerificationError} `response_malformed`, `encryption_required`.
 *
 * Source: OpenID4VCI 1.1 draft -01, section 6.2.1.1.
 */
export function parseIaResponse(
  text: string,
  mode: 'ia_post' | 'ia_post.jwt',
): ReceivedResponse | { readonly kind: 'encrypted'; readonly jwe: string } {
  const parsed = parseJson(text)
  if (!parsed.ok || !isJsonObject(parsed.value)) {
    throw new ProtocolError('invalid_request', 'openid4vp_response is no JSON object. Send one.')
  }
  const jwe = member(parsed.value, 'response')
  if (mode === 'ia_post.jwt' && typeof jwe === 'string') return { kind: 'encrypted', jwe }
  const received = parseResponseParameters(parsed.value)
  if (mode === 'ia_post.jwt' && received.kind === 'vp_token') {
    throw new VerificationError(
      'encryption_required',
      'The response is not encrypted as the request demands.',
    )
  }
  return received
}

/**
 * The `aud` that binds a presentation to a challenge endpoint.
 *
 * The draft says origin in one place and endpoint in its example; the endpoint tells two endpoints of one
 * origin apart, so wallets here send that form.
 *
 * @param endpoint The challenge endpoint's URL, byte for byte as in the server's metadata.
 *
 * Source: OpenID4VCI 1.1 draft -01, section 6.2.1.1 and Appendix A.3.5.
 */
export function iaAudience(endpoint: string): string {
  return `ia:${endpoint}`
}

/**
 * The `aud` values a server accepts: the endpoint form and, unless its origin hosts several challenge
 * endpoints, the origin form.
 *
 * Source: OpenID4VCI 1.1 draft -01, Appendix A.3.5.
 */
export function acceptedIaAudiences(
  endpoint: string,
  options: { readonly onlyEndpointOfOrigin: boolean },
): readonly string[] {
  const audience = iaAudience(endpoint)
  return options.onlyEndpointOfOrigin ? [audience, `ia:${new URL(endpoint).origin}`] : [audience]
}
