/**
 * Plain OpenID4VP: a request by reference, an answer by direct post. For verifiers without the challenge route.
 *
 * Owns the resolution of the request and the delivery of the answer. Order matters: an unknown client, an
 * unlinked host or a bad signature ends before anything is sent, and before any credential is looked at.
 * Nothing is followed: neither a redirect on the way nor the redirect_uri at the end, which goes back to
 * whoever handed the request in.
 *
 * Source: OpenID4VP 1.0, sections 5.9, 5.10, 8.2, 8.3 and 14; RFC 9101, sections 5 and 6.
 *
 * @module
 */
import {
  type Clock,
  isInternalAddress,
  isJsonObject,
  type JsonObject,
  member,
  type NumericDate,
  type OutboundFetch,
  ProtocolError,
  parseHttpsUrl,
  parseJson,
  type Random,
  randomText,
  VerificationError,
} from '@attache/core'
import {
  type AuthorizationRequest,
  boundResponseUri,
  createDidKeys,
  directPostBody,
  parseClientIdentifier,
  parseHandover,
  parseRequestUrl,
  REQUEST_OBJECT_MEDIA_TYPE,
  type RequestHandover,
  requestUriFetch,
  STATIC_AUDIENCE,
  type VerifiedRequest,
  verifyRequestObject,
  type WalletAnswer,
} from '@attache/openid4vp'
import { type AnswerDeps, answerRequest, type RequestAnswer } from './answer-request.js'
import type { TrustedVerifier, WalletOptions } from './options.js'

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
export interface PresentDeps extends AnswerDeps {
  readonly options: WalletOptions
  readonly fetch: OutboundFetch
  readonly clock: Clock
  readonly random: Random
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

async function resolveRequest(
  handover: RequestHandover,
  facts: { readonly verifier: TrustedVerifier; readonly now: NumericDate },
  deps: PresentDeps,
): Promise<VerifiedRequest> {
  if (handover.kind !== 'reference' && deps.options.profile === 'haip') {
    throw stop('haip', 'The profile takes signed requests by request_uri alone.')
  }
  if (handover.kind === 'parameters') {
    // Only the prefix redirect_uri may come unsigned, and it says nothing about who asks.
    throw stop('invalid_request', 'Unsigned requests are not answered. Send a signed request object.')
  }
  const walletNonce =
    handover.kind === 'reference' && handover.method === 'post' ? randomText(deps.random) : undefined
  const requestObject =
    handover.kind === 'object'
      ? handover.requestObject
      : await fetchRequestObject(handover, { ...facts, walletNonce }, deps)
  return verifyRequestObject(requestObject, {
    clientId: handover.clientId,
    audiences: audiencesOf(handover, facts.verifier),
    algorithms: deps.options.algorithms,
    trust: { anchors: facts.verifier.anchors, didKey: createDidKeys(deps) },
    now: facts.now,
    ...(walletNonce === undefined ? {} : { walletNonce }),
  })
}

function audiencesOf(handover: RequestHandover, verifier: TrustedVerifier): readonly string[] {
  if (verifier.requestAudience !== 'request-uri' || handover.kind !== 'reference') return [STATIC_AUDIENCE]
  return [STATIC_AUDIENCE, handover.requestUri]
}

async function fetchRequestObject(
  handover: Extract<RequestHandover, { kind: 'reference' }>,
  facts: { readonly verifier: TrustedVerifier; readonly walletNonce: string | undefined },
  deps: PresentDeps,
): Promise<string> {
  const url = parseHttpsUrl(handover.requestUri)
  const linked = url !== undefined && hostsOf(facts.verifier).includes(url.host)
  if (url === undefined || (!linked && isInternal(url))) {
    throw stop('request_uri_blocked', 'The request_uri is no https URL, or an internal address.')
  }
  if (!linked) {
    throw stop(
      'request_uri_unlinked',
      'The request_uri lies on a host that is not configured for this client.',
    )
  }
  const { walletNonce } = facts
  const post =
    walletNonce === undefined ? undefined : { walletNonce, walletMetadata: walletMetadata(deps.options) }
  const init = { ...requestUriFetch(post), maxBytes: 65_536, contentTypes: [REQUEST_OBJECT_MEDIA_TYPE] }
  const response = await deps.fetch(handover.requestUri, init)
  if (response.status !== 200)
    throw stop('request_uri_http', 'The request_uri did not answer with a request object.')
  return response.text()
}

// An address written out; names are judged by the guarded fetch when they are resolved.
function isInternal({ hostname }: URL): boolean {
  const address = hostname.replace(/^\[|\]$/g, '')
  return (/^[\d.]+$/.test(address) || address.includes(':')) && isInternalAddress(address)
}

function walletMetadata(options: WalletOptions) {
  return {
    formats: ['dc+sd-jwt'],
    sdJwtAlgorithms: { issuer: options.algorithms, keyBinding: ['ES256'] },
    clientIdPrefixes: ['x509_hash', 'x509_san_dns', 'decentralized_identifier'],
    requestObjectAlgorithms: options.algorithms,
    encryptionAlgorithms: ['ECDH-ES'],
    encryptionEncs: ['A256GCM', 'A128GCM'],
  }
}

function checkMode({ responseMode }: AuthorizationRequest, profile: 'base' | 'haip'): void {
  const accepted = profile === 'haip' ? ['direct_post.jwt'] : ['direct_post', 'direct_post.jwt']
  if (accepted.includes(responseMode)) return
  throw new ProtocolError('invalid_request', 'The response_mode is not one that this wallet answers.')
}

/** The response_uri, when its host is configured for the client or, where that counts, named by its certificate. */
function linkedResponseUri(
  { request, client }: VerifiedRequest,
  {
    verifier,
    certificateCounts,
  }: { readonly verifier: TrustedVerifier; readonly certificateCounts: boolean },
): string {
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

function hostsOf(verifier: TrustedVerifier): readonly string[] {
  return verifier.hosts ?? verifier.apis.map((api) => new URL(api).host)
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
