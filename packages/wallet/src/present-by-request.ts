/**
 * Plain OpenID4VP: a request handed in, an answer by direct post. For verifiers without the challenge route.
 *
 * Owns where an answer may go, and its delivery; the request is resolved in `resolve-request.ts`. Order
 * matters: an unknown client, an unlinked host or a bad signature ends before anything is sent, and before any
 * credential is looked at. Nothing is followed: neither a redirect on the way nor the redirect_uri at the end,
 * which goes back to whoever handed the request in.
 *
 * Source: OpenID4VP 1.0, sections 5.9, 5.10, 8.2, 8.3 and 14; RFC 9101, sections 5 and 6.
 *
 * @module
 */
import {
  type Clock,
  isJsonObject,
  type JsonObject,
  member,
  type NumericDate,
  type OutboundFetch,
  ProtocolError,
  parseHttpsUrl,
  parseJson,
  VerificationError,
} from '@attache/core'
import {
  type AuthorizationRequest,
  boundResponseUri,
  directPostBody,
  parseClientIdentifier,
  parseHandover,
  parseRequestUrl,
  type WalletAnswer,
} from '@attache/openid4vp'
import { type AnswerDeps, answerRequest, type RequestAnswer } from './answer-request.js'
import type { TrustedVerifier } from './options.js'
import type { RefusalLimit } from './refusal-limit.js'
import {
  hostsOf,
  isInternal,
  type ResolveDeps,
  type ResolvedRequest,
  resolveRequest,
} from './resolve-request.js'

/** A request that was handed in: a URL, or the members of an API's challenge. */
export interface HandedRequest {
  readonly agent: string
  readonly request: string | JsonObject
  /** The API whose 401 brought the request: the client must guard it, and every host be configured. */
  readonly api?: CallingApi
  readonly now: NumericDate
}

/** An API that answered a call of the agent with a request. */
export interface CallingApi {
  /** Origin of the URL that the agent called. */
  readonly origin: string
  /** Posts the presentation with a proof of the key that its result is for. */
  readonly send: OutboundFetch
}

/** What plain presenting needs. */
export interface PresentDeps extends AnswerDeps, ResolveDeps {
  readonly options: AnswerDeps['options'] & ResolveDeps['options']
  readonly clock: Clock
  /** For requests by link; what an API hands over is counted where its call is answered. */
  readonly refusals: RefusalLimit
}

/** What came of it. */
export type PresentationResult =
  | {
      readonly kind: 'delivered'
      readonly verifier: string
      readonly redirectUri?: string
      readonly facts: Readonly<Record<string, string>>
    }
  | (Extract<RequestAnswer, { kind: 'denied' }> & { readonly verifier: string })

/**
 * Answers a request.
 *
 * @throws {VerificationError} Processing ended here; nothing was sent to the verifier.
 * @throws {ProtocolError} The request is authentic and unusable.
 */
export async function presentByRequest(facts: HandedRequest, deps: PresentDeps): Promise<PresentationResult> {
  const handover =
    typeof facts.request === 'string' ? parseRequestUrl(facts.request) : parseHandover(facts.request)
  const verifier = deps.options.verifiers.find(({ clientId }) => clientId === handover.clientId)
  parseClientIdentifier(handover.clientId, () => verifier !== undefined)
  if (verifier === undefined) throw stop('unknown_client', 'The client is not configured. Nothing was sent.')
  const { api } = facts
  if (api !== undefined && !verifier.apis.includes(api.origin)) {
    throw stop('client_unlinked', 'The client is not configured for the API that handed the request over.')
  }
  if (api === undefined && !deps.refusals.mayTry(facts.agent, verifier.clientId, facts.now)) {
    throw stop('refusal_limit', 'This verifier was refused too often. Wait.')
  }

  const verified = await resolveRequest(handover, { verifier, now: facts.now }, deps)
  checkMode(verified.request, deps.options.profile)
  const responseUri = linkedResponseUri(verified, { verifier, certificateCounts: api === undefined })
  const release = {
    agent: facts.agent,
    verifier: verifier.clientId,
    request: verified.request,
    now: facts.now,
  }
  try {
    const answer = await answerRequest({ ...release, audience: verifier.clientId }, deps)
    if (answer.kind === 'denied') {
      if (api === undefined) deps.refusals.note(facts.agent, verifier.clientId, facts.now)
      await deliver({ responseUri, request: verified.request }, { error: 'access_denied' }, deps)
      return { ...answer, verifier: verifier.clientId }
    }
    const redirectUri = await deliver(
      { responseUri, request: verified.request },
      { vpToken: answer.vpToken },
      { fetch: api?.send ?? deps.fetch },
    )
    const redirected = redirectUri === undefined ? {} : { redirectUri }
    return { kind: 'delivered', verifier: verifier.clientId, facts: answer.facts, ...redirected }
  } catch (error) {
    if (error instanceof ProtocolError && deps.options.errorDelivery === 'protocol') {
      await deliver({ responseUri, request: verified.request }, { error: error.code }, deps)
    }
    throw error
  }
}

function checkMode({ responseMode }: AuthorizationRequest, profile: 'base' | 'haip'): void {
  const accepted = profile === 'haip' ? ['direct_post.jwt'] : ['direct_post', 'direct_post.jwt']
  if (accepted.includes(responseMode)) return
  throw new ProtocolError('invalid_request', 'The response_mode is not one that this wallet answers.')
}

/** The response_uri, when its host is configured for the client or, where that counts, named by its certificate. */
function linkedResponseUri(
  { request, client }: ResolvedRequest,
  {
    verifier,
    certificateCounts,
  }: { readonly verifier: TrustedVerifier; readonly certificateCounts: boolean },
): string {
  // Nobody signed: the configured identifier itself is the one address that is answered.
  if (client === undefined) return boundResponseUri(request, undefined)
  const host = parseHttpsUrl(request.responseUri)?.host
  const configured = host !== undefined && hostsOf(verifier).includes(host)
  if (!configured && !certificateCounts) {
    throw stop(
      'response_uri_unlinked',
      'The response_uri lies on a host that is not linked to the called API.',
    )
  }
  const { responseUris: registered } = verifier
  const exact = registered === undefined ? {} : { registered }
  return boundResponseUri(request, client, { hostLink: configured ? 'off' : 'certificate', ...exact })
}

/** @returns The redirect_uri of the verifier's answer, if it has one. */
async function deliver(
  { responseUri, request }: { readonly responseUri: string; readonly request: AuthorizationRequest },
  answer: WalletAnswer,
  deps: { readonly fetch: OutboundFetch },
): Promise<string | undefined> {
  const body = await directPostBody(request, answer)
  const init = {
    method: 'POST',
    headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
    body,
  }
  const response = await postOnceMore(() => deps.fetch(responseUri, init))
  if ('error' in answer) return undefined
  const parsed = parseJson(await response.text())
  if (response.status !== 200 || !parsed.ok || !isJsonObject(parsed.value)) {
    throw stop('delivery_failed', 'The verifier did not accept the response.')
  }
  const redirectUri = member(parsed.value, 'redirect_uri')
  if (redirectUri === undefined) return undefined
  const url = parseHttpsUrl(redirectUri)
  if (url === undefined || typeof redirectUri !== 'string' || isInternal(url)) {
    throw stop(
      'redirect_uri_refused',
      'The verifier sent a redirect_uri that is no https URL of the outside.',
    )
  }
  return redirectUri
}

// Only a connection that failed is tried again, with the same bytes: everything else was an answer.
async function postOnceMore(post: () => Promise<Response>): Promise<Response> {
  try {
    return await post()
  } catch (error) {
    if (error instanceof VerificationError && error.code === 'fetch_failed') return post()
    throw error
  }
}

function stop(code: string, message: string): VerificationError {
  return new VerificationError(code, message)
}
