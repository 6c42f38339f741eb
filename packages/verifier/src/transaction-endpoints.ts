/**
 * The endpoints of plain OpenID4VP: request_uri, response_uri, the result, and the page after the answer.
 *
 * Reachable without cookies or any authentication of the API; none of them ever redirects.
 *
 * Source: OpenID4VP 1.0, sections 5.10, 8.2 and 14.8.
 *
 * @module
 */

import type { Store } from '@attache/core'
import {
  type Clock,
  endpoint,
  type JsonObject,
  json,
  mediaType,
  NO_STORE,
  ProtocolError,
  type Route,
  type RouteHandler,
  readForm,
} from '@attache/core'
import type { KeyPool } from '@attache/keys'
import { createTokenResponse, type ServerNonces, verifyDpopProof } from '@attache/oauth'
import { parseRequestUriPost, REQUEST_OBJECT_MEDIA_TYPE } from '@attache/openid4vp'
import { VERIFIER_STATUSES } from './errors.js'
import { fragmentPage } from './fragment-page.js'
import { encodePresentation } from './presentation.js'
import { type ReceiveResponseDeps, receiveResponse } from './receive-response.js'
import { redeemResult, type TransactionResult } from './redeem-result.js'
import { redeemTransaction } from './redeem-transaction.js'
import { type ServeRequestDeps, serveRequest } from './serve-request.js'
import type { TransactionWatch } from './transaction-watch.js'

const MOST_RESPONSE_BYTES = 262_144
const MOST_FORM_BYTES = 65_536
const FORM = 'application/x-www-form-urlencoded'

/** What the endpoints need. */
export interface TransactionEndpointsDeps extends ServeRequestDeps, ReceiveResponseDeps {
  readonly store: Pick<Store, 'get' | 'replace' | 'take' | 'commit' | 'put' | 'putIfAbsent'>
  /** When given, proofs need a nonce of the resource, which redeems by itself: no other server is there. */
  readonly resourceNonces?: ServerNonces | undefined
  /** Keys of proofs, imported once. */
  readonly proofKeys?: KeyPool | undefined
  readonly clock: Clock
  /** Who follows a transaction learns at once that an answer came here. */
  readonly watch: Pick<TransactionWatch, 'wake'>
}

/** Makes the routes. */
export function transactionEndpoints(deps: TransactionEndpointsDeps): readonly Route[] {
  const { request, response, result, done, redeem } = deps.settings.endpoints
  const edge = (event: string, work: RouteHandler): RouteHandler =>
    endpoint(work, { statuses: VERIFIER_STATUSES, log: deps.log, random: deps.random, event })
  return [
    { method: 'GET', path: `${request}/:handle`, handle: edge('verifier.request', getRequest(deps)) },
    { method: 'POST', path: `${request}/:handle`, handle: edge('verifier.request', postRequest(deps)) },
    { method: 'POST', path: `${response}/:handle`, handle: edge('verifier.response', postResponse(deps)) },
    { method: 'POST', path: result, handle: edge('verifier.result', postResult(deps)) },
    { method: 'GET', path: done, handle: edge('verifier.done', donePage) },
    { method: 'GET', path: redeem, handle: edge('verifier.done', donePage) },
    { method: 'POST', path: redeem, handle: edge('verifier.redeem', postRedemption(deps)) },
    fragmentPage(deps),
  ]
}

function getRequest(deps: TransactionEndpointsDeps): RouteHandler {
  return async (_request, { handle = '' }) =>
    requestObject(await serveRequest({ handle, now: deps.clock() }, deps))
}

function postRequest(deps: TransactionEndpointsDeps): RouteHandler {
  return async (request, { handle = '' }) => {
    const form = await readWalletForm(request, MOST_FORM_BYTES)
    const post = parseRequestUriPost(form)
    return requestObject(await serveRequest({ handle, post, now: deps.clock() }, deps))
  }
}

function requestObject(text: string): Response {
  return new Response(text, { headers: { ...NO_STORE, 'Content-Type': REQUEST_OBJECT_MEDIA_TYPE } })
}

function postResponse(deps: TransactionEndpointsDeps): RouteHandler {
  return async (request, { handle = '' }) => {
    const form = await readWalletForm(request, MOST_RESPONSE_BYTES)
    const dpop = request.headers.get('DPoP')
    try {
      const { redirectUri } = await receiveResponse({ handle, form, dpop, now: deps.clock() }, deps)
      return json(200, redirectUri === undefined ? {} : { redirect_uri: redirectUri }, NO_STORE)
    } finally {
      deps.watch.wake(handle)
    }
  }
}

function postResult(deps: TransactionEndpointsDeps): RouteHandler {
  return async (request) => {
    const form = await readWalletForm(request, MOST_FORM_BYTES)
    const transactionId = form.get('transaction_id')
    if (transactionId === undefined) throw new ProtocolError('invalid_request', 'Send a transaction_id.')
    const wanted = { transactionId, responseCode: form.get('response_code'), session: form.get('session') }
    const result = await redeemResult(wanted, deps.clock(), deps)
    return json(result.status === 'pending' ? 202 : 200, resultBody(result), NO_STORE)
  }
}

function postRedemption(deps: TransactionEndpointsDeps): RouteHandler {
  const { origin, endpoints, algorithms } = deps.settings
  const target = {
    method: 'POST',
    url: `${origin}${endpoints.redeem}`,
    algorithms,
    nonces: deps.resourceNonces,
    keys: deps.proofKeys,
  }
  return async (request) => {
    const form = await readWalletForm(request, MOST_FORM_BYTES)
    // Read when the request is there in whole: a slow body must not be judged by an earlier time.
    const now = deps.clock()
    const [transactionId, responseCode] = [form.get('transaction_id'), form.get('response_code')]
    if (transactionId === undefined || responseCode === undefined) {
      throw new ProtocolError('invalid_request', 'Send transaction_id and response_code.')
    }
    const proof = verifyDpopProof(request.headers.get('DPoP'), target, now)
    const token = await redeemTransaction({ transactionId, responseCode, proof, now }, deps)
    return json(200, createTokenResponse(token), NO_STORE)
  }
}

function resultBody(result: TransactionResult): JsonObject {
  if (result.status !== 'answered') return { ...result }
  const { credentials = [] } = encodePresentation(result.presentation)
  return { status: result.status, credentials }
}

// The code in the query is for whoever began; this page only says that the wallet's part is over.
const donePage: RouteHandler = async () =>
  new Response('The presentation was received. You can close this page.\n', {
    headers: { ...NO_STORE, 'Content-Type': 'text/plain; charset=utf-8', 'Referrer-Policy': 'no-referrer' },
  })

async function readWalletForm(request: Request, maxBytes: number): Promise<ReadonlyMap<string, string>> {
  const type = mediaType(request.headers)
  // A POST without any body needs no media type (section 5.10: both parameters are optional).
  if (type === '' && request.body === null) return new Map()
  if (type !== FORM)
    throw new ProtocolError('unsupported_media_type', `Send the body with Content-Type ${FORM}.`)
  return readForm(request, { maxBytes })
}
