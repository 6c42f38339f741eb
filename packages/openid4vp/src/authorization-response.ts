/**
 * The authorization response: presentations, or an error, on their way to the verifier.
 *
 * Owns both halves of `direct_post`, `direct_post.jwt` and `fragment`. The challenge route's modes lie in
 * `ia-vci11-01.ts`.
 *
 * Source: OpenID4VP 1.0, sections 8.1 to 8.3 and 8.5.
 *
 * @module
 */
import { type JsonObject, type JsonValue, member, parseJson, VerificationError } from '@attache/core'
import type { AuthorizationRequest } from './authorization-request.js'
import { encryptResponse } from './response-encryption.js'
import { encodeVpToken, type VpToken } from './vp-token.js'
import { wireObject } from './wire-object.js'

/** What a wallet answers. */
export type WalletAnswer =
  | { readonly vpToken: VpToken }
  | { readonly error: string; readonly errorDescription?: string | undefined }

/** What a verifier received, still unjudged. */
export type ReceivedResponse =
  | { readonly kind: 'vp_token'; readonly vpToken: JsonValue; readonly state: string | undefined }
  | { readonly kind: 'error'; readonly error: string; readonly state: string | undefined }

/** What came in by POST: something readable, or a JWE. */
export type PostedResponse = ReceivedResponse | { readonly kind: 'encrypted'; readonly jwe: string }

/**
 * Makes the form body that a wallet posts to the response_uri.
 *
 * For `direct_post.jwt` everything is encrypted; only an error to a verifier that cannot be encrypted to
 * goes in the clear.
 *
 * @throws {ProtocolError} `invalid_request`: presentations cannot be encrypted; answer with that error instead.
 *
 * Source: OpenID4VP 1.0, sections 8.2 and 8.3.1.
 */
export async function directPostBody(request: AuthorizationRequest, answer: WalletAnswer): Promise<string> {
  const parameters = responseParameters(request, answer)
  if (request.responseMode === 'direct_post.jwt' && !('error' in answer && !isEncryptable(request))) {
    const response = await encryptResponse(parameters, request.clientMetadata)
    return new URLSearchParams({ response }).toString()
  }
  return encodeForm(parameters)
}

/**
 * Makes the parameters of an answer: `vp_token` or `error`, and `state` when the request had one.
 *
 * Source: OpenID4VP 1.0, sections 8.1 and 8.5.
 */
export function responseParameters(request: AuthorizationRequest, answer: WalletAnswer): JsonObject {
  if ('error' in answer) {
    const { error, errorDescription } = answer
    return wireObject({ error, error_description: errorDescription, state: request.state })
  }
  return wireObject({ vp_token: encodeVpToken(answer.vpToken), state: request.state })
}

function isEncryptable(request: AuthorizationRequest): boolean {
  return (request.clientMetadata?.encryptionKeys ?? []).some(
    ({ kty, alg }) => kty === 'EC' && alg === 'ECDH-ES',
  )
}

function encodeForm(parameters: JsonObject): string {
  const form = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) {
    form.set(name, typeof value === 'string' ? value : JSON.stringify(value))
  }
  return form.toString()
}

/**
 * Makes the URL to which a browser is sent with a `fragment` answer.
 *
 * @param redirectUri The request's `redirect_uri`, without a fragment of its own.
 *
 * Source: OpenID4VP 1.0, sections 5.6 and 8.1.
 */
export function fragmentUrl(
  redirectUri: string,
  request: AuthorizationRequest,
  answer: WalletAnswer,
): string {
  return `${redirectUri}#${encodeForm(responseParameters(request, answer))}`
}

/**
 * Reads what a wallet posted to the response_uri; unknown parameters are ignored.
 *
 * @param form Parameters without repetition (the form reader refuses those).
 * @throws {VerificationError} `response_malformed`: none or several of `vp_token`, `response`, `error`.
 * `vp_token_malformed`: a `vp_token` that is no JSON. `encryption_required`: presentations in the clear.
 *
 * Source: OpenID4VP 1.0, sections 8.2, 8.3.1 and 8.5.
 */
export function parseDirectPost(
  form: ReadonlyMap<string, string>,
  mode: 'direct_post' | 'direct_post.jwt' | 'fragment',
): PostedResponse {
  const jwe = form.get('response')
  const error = form.get('error')
  const token = form.get('vp_token')
  if ([jwe, error, token].filter((value) => value !== undefined).length !== 1) {
    throw malformed('exactly one of vp_token, response and error is needed')
  }
  const state = form.get('state')
  if (error !== undefined) return { kind: 'error', error, state }
  if (mode === 'direct_post.jwt') {
    if (jwe !== undefined) return { kind: 'encrypted', jwe }
    throw new VerificationError(
      'encryption_required',
      'The response is not encrypted as the request demands.',
    )
  }
  if (token === undefined) throw malformed('an encrypted response was not asked for')
  const parsed = parseJson(token)
  if (!parsed.ok) throw new VerificationError('vp_token_malformed', 'The vp_token is no JSON text.')
  return { kind: 'vp_token', vpToken: parsed.value, state }
}

/**
 * Reads the parameters of a decrypted response.
 *
 * @throws {VerificationError} `response_malformed`, `vp_token_malformed`.
 *
 * Source: OpenID4VP 1.0, section 8.3.
 */
export function parseResponseParameters(parameters: JsonObject): ReceivedResponse {
  const error = member(parameters, 'error')
  const vpToken = member(parameters, 'vp_token')
  const state = member(parameters, 'state')
  if (state !== undefined && typeof state !== 'string') throw malformed('state is no text')
  if ((error === undefined) === (vpToken === undefined))
    throw malformed('one of vp_token and error is needed')
  if (vpToken !== undefined) return { kind: 'vp_token', vpToken, state }
  if (typeof error !== 'string') throw malformed('error is no text')
  return { kind: 'error', error, state }
}

function malformed(what: string): VerificationError {
  return new VerificationError('response_malformed', `The response cannot be read: ${what}.`)
}
