/**
 * The wallet's half of a plain OpenID4VP transaction.
 *
 * Source: OpenID4VP 1.0, sections 5.1, 5.10 and 8.2.
 *
 * @module
 */
import { configurationError, type OutboundFetch, type Route, randomText } from '@attache/core'
import { parseJws } from '@attache/keys'
import { FORM_MEDIA_TYPE } from '@attache/oauth'
import {
  type AuthorizationRequest,
  directPostBody,
  parseAuthorizationRequest,
  parseRequestUrl,
  requestUriFetch,
} from '@attache/openid4vp'
import { fetchFromRoutes } from './in-process-fetch.js'
import type { WalletParts } from './wallet-parts.js'

/**
 * Answers a transaction; with `access_denied` when the credential does not answer the query.
 *
 * @returns What the verifier answered to the response.
 * @throws {TypeError} `request_not_served`: the routes do not serve the request, or it names no response_uri.
 *
 * Source: OpenID4VP 1.0, sections 8.2 and 8.5.
 */
export async function answerTransaction(
  requestUrl: string,
  routes: readonly Route[],
  wallet: WalletParts,
): Promise<Response> {
  const fetch = fetchFromRoutes(routes)
  const request = await readRequest(requestUrl, fetch, wallet)
  if (request.responseUri === undefined) throw notServed('The request names no response_uri.')
  const vpToken = await wallet.present(request, request.clientId ?? '')
  const body = await directPostBody(request, vpToken === undefined ? { error: 'access_denied' } : { vpToken })
  return fetch(request.responseUri, { method: 'POST', headers: { 'Content-Type': FORM_MEDIA_TYPE }, body })
}

async function readRequest(
  requestUrl: string,
  fetch: OutboundFetch,
  { random }: WalletParts,
): Promise<AuthorizationRequest> {
  const handover = parseRequestUrl(requestUrl)
  if (handover.kind === 'parameters') return parseAuthorizationRequest(handover.parameters)
  if (handover.kind === 'object') return readRequestObject(handover.requestObject)
  const post = handover.method === 'post' ? { walletNonce: randomText(random) } : undefined
  const answer = await fetch(handover.requestUri, requestUriFetch(post))
  if (!answer.ok) throw notServed('The routes do not serve this request.')
  return readRequestObject(await answer.text())
}

/** Reads a request object and trusts it: whose it is does not matter to a fake. */
export function readRequestObject(text: string): AuthorizationRequest {
  return parseAuthorizationRequest(parseJws(text).payload)
}

function notServed(message: string): TypeError {
  return configurationError('request_not_served', message)
}
