/**
 * The challenge route: an access token for a scope, in exchange for a presentation. No browser, no person.
 *
 * Owns the sequence at the authorization server: first request, demand, presentation, code, token. The
 * endpoint, and with it the audience of every KB-JWT, comes from metadata the wallet fetched; what the server
 * demands is checked as any request for a presentation is.
 *
 * Source: OpenID4VCI 1.1 draft -01, section 6; first-party apps -03, sections 5 and 6; RFC 9449, section 5.
 *
 * @module
 */
import { member, type NumericDate, ProtocolError, VerificationError } from '@attache/core'
import type { JwsAlgorithm } from '@attache/keys'
import {
  type AuthorizationChallengeResponse,
  type AuthorizationServerMetadata,
  createAuthorizationChallengeRequest,
  createPkce,
  createTokenRequest,
  formParameters,
  type InsufficientAuthorization,
  type Pkce,
  parseAuthorizationChallengeResponse,
  parseErrorResponse,
  parseTokenResponse,
} from '@attache/oauth'
import {
  type AuthorizationRequest,
  checkIaRequest,
  encodeIaResponse,
  IA_OPENID4VP_PRESENTATION,
  iaAudience,
  parseIaRequest,
  STATIC_AUDIENCE,
  verifyRequestObject,
} from '@attache/openid4vp'
import { serverError } from './abort.js'
import { type AnswerDeps, answerRequest, type RequestAnswer } from './answer-request.js'
import { type AuthorizationServerCallDeps, callAuthorizationServer } from './authorization-server-call.js'
import { refreshChallenge, requireAttestationSupport } from './client-authentication.js'
import type { ClientInstance } from './client-instance.js'
import type { TrustedVerifier } from './options.js'
import { requestTrust, withRegisteredMetadata } from './request-trust.js'

/** Who wants access to what, and who grants it. */
export interface ChallengeFacts {
  readonly client: ClientInstance
  readonly verifier: TrustedVerifier
  readonly server: AuthorizationServerMetadata
  readonly scope: string | undefined
  readonly profile: 'base' | 'haip'
  readonly algorithms: readonly JwsAlgorithm[]
  readonly errorDelivery: 'local' | 'protocol'
  readonly now: NumericDate
}

/** What the route needs. */
export interface ChallengeDeps extends AnswerDeps, AuthorizationServerCallDeps {}

/** A token, or a refusal by our own side. */
export type ChallengeOutcome =
  | {
      readonly kind: 'granted'
      readonly accessToken: string
      readonly expiresInSeconds: number
      readonly facts: Readonly<Record<string, string>>
    }
  | Extract<RequestAnswer, { kind: 'denied' }>

/** How many presentations one authorization may ask for. */
const MAX_ROUNDS = 3

/** Lifetime assumed for a token whose answer names none, in seconds. */
const DEFAULT_LIFETIME_SECONDS = 60

const OFFERED = { interactionTypesSupported: [IA_OPENID4VP_PRESENTATION] }

/**
 * Obtains an access token.
 *
 * @throws {VerificationError} The server or its request failed a check: nothing was presented after it.
 * @throws {ProtocolError} The request is authentic and unusable.
 */
export async function runChallengeRoute(
  facts: ChallengeFacts,
  deps: ChallengeDeps,
): Promise<ChallengeOutcome> {
  const endpoint = requireEndpoints(facts.server)
  requireAttestationSupport(facts.server)
  await refreshChallenge(facts.client, facts.server, deps)
  for (let restarts = 0; ; restarts += 1) {
    const outcome = await converse({ ...facts, ...endpoint }, deps)
    if (outcome.kind !== 'session_lost') return outcome
    if (restarts === 1)
      throw new VerificationError('invalid_session', 'The authorization server lost the session twice.')
  }
}

interface Conversation extends ChallengeFacts {
  readonly endpoint: string
  readonly tokenEndpoint: string
}

function requireEndpoints(server: AuthorizationServerMetadata): { endpoint: string; tokenEndpoint: string } {
  const { authorizationChallengeEndpoint: endpoint, tokenEndpoint } = server
  if (endpoint !== undefined && tokenEndpoint !== undefined) return { endpoint, tokenEndpoint }
  throw new VerificationError(
    'no_challenge_endpoint',
    'The authorization server offers no presentation without a browser.',
  )
}

async function converse(
  facts: Conversation,
  deps: ChallengeDeps,
): Promise<ChallengeOutcome | { readonly kind: 'session_lost' }> {
  const pkce = createPkce(deps.random)
  let answer = await firstRequest(facts, pkce, deps)
  let disclosed: Readonly<Record<string, string>> = {}
  for (let round = 0; answer.kind === 'insufficient_authorization'; round += 1) {
    if (round === MAX_ROUNDS)
      throw new VerificationError('too_many_interactions', 'The server asks without end.')
    const presented = await answerDemand(facts, answer, deps)
    if (presented.kind === 'denied') return presented
    disclosed = presented.facts
    answer = await follow(facts, { authSession: answer.authSession, response: presented.response }, deps)
  }
  if (answer.kind === 'error') {
    if (answer.error === 'invalid_session') return { kind: 'session_lost' }
    throw new VerificationError(
      'authorization_refused',
      `The authorization server answered ${serverError(answer.error)}.`,
    )
  }
  return redeem(facts, { code: answer.authorizationCode, pkce, disclosed }, deps)
}

async function firstRequest(facts: Conversation, pkce: Pkce, deps: ChallengeDeps) {
  const { codeChallenge } = pkce
  const request = { clientId: facts.client.clientId, scope: facts.scope, codeChallenge }
  const form = createAuthorizationChallengeRequest({ kind: 'initial', request, ...OFFERED })
  const { body } = await callAuthorizationServer({ url: facts.endpoint, form, client: facts.client }, deps)
  return parseAuthorizationChallengeResponse(body, OFFERED)
}

async function follow(
  facts: Conversation,
  step: { readonly authSession: string; readonly response: string },
  deps: ChallengeDeps,
): Promise<AuthorizationChallengeResponse> {
  const interaction = formParameters({ openid4vp_response: step.response })
  const { authSession } = step
  const form = createAuthorizationChallengeRequest({
    kind: 'follow_up',
    authSession,
    clientId: facts.client.clientId,
    interaction,
  })
  const { body } = await callAuthorizationServer({ url: facts.endpoint, form, client: facts.client }, deps)
  return parseAuthorizationChallengeResponse(body, OFFERED)
}

async function answerDemand(
  facts: Conversation,
  demand: InsufficientAuthorization,
  deps: ChallengeDeps,
): Promise<
  | { kind: 'answered'; response: string; facts: Readonly<Record<string, string>> }
  | Extract<RequestAnswer, { kind: 'denied' }>
> {
  const { request, verifier } = await authenticateDemand(facts, demand, deps)
  try {
    const release = { agent: facts.client.agent, verifier, request, now: facts.now }
    const answer = await answerRequest({ ...release, audience: audienceOf(facts) }, deps)
    if (answer.kind === 'denied') {
      await refuse(facts, { authSession: demand.authSession, request, error: 'access_denied' }, deps)
      return answer
    }
    const { vpToken, facts: disclosed } = answer
    return { kind: 'answered', response: await encodeIaResponse(request, { vpToken }), facts: disclosed }
  } catch (error) {
    if (error instanceof ProtocolError && facts.errorDelivery === 'protocol') {
      await refuse(facts, { authSession: demand.authSession, request, error: error.code }, deps)
    }
    throw error
  }
}

/** Makes sure who asks, and that the request was made for the endpoint we talk to. */
async function authenticateDemand(
  facts: Conversation,
  demand: InsufficientAuthorization,
  deps: ChallengeDeps,
): Promise<{ request: AuthorizationRequest; verifier: string }> {
  const received = parseIaRequest(member(demand.interaction, 'openid4vp_request'))
  if (received.kind === 'unsigned') {
    if (facts.profile === 'haip')
      throw new VerificationError('haip', 'The profile takes signed requests alone.')
    checkIaRequest(received.request, { endpoint: facts.endpoint, signed: false })
    // Nobody signed for a client_id: the server itself is who asks.
    return { request: received.request, verifier: facts.server.issuer }
  }
  const { verifier } = facts
  const { clientId } = verifier
  const expected = {
    clientId,
    audiences: [STATIC_AUDIENCE],
    trust: requestTrust(verifier, deps),
    algorithms: facts.algorithms,
    now: facts.now,
  }
  const verified = await verifyRequestObject(received.requestObject, expected)
  const request = withRegisteredMetadata(verified.request, verifier)
  checkIaRequest(request, { endpoint: facts.endpoint, signed: true })
  return { request, verifier: clientId }
}

function audienceOf(facts: Conversation): string {
  const form = facts.verifier.challengeAudience ?? 'endpoint'
  return iaAudience(form === 'endpoint' ? facts.endpoint : new URL(facts.endpoint).origin)
}

// The server learns that there will be no presentation, in the same words whatever the reason.
async function refuse(
  facts: Conversation,
  answer: { readonly authSession: string; readonly request: AuthorizationRequest; readonly error: string },
  deps: ChallengeDeps,
): Promise<void> {
  const response = await encodeIaResponse(answer.request, { error: answer.error })
  try {
    await follow(facts, { authSession: answer.authSession, response }, deps)
  } catch (error) {
    // What it says to a refusal changes nothing; a fault of ours still does.
    if (!(error instanceof VerificationError)) throw error
  }
}

async function redeem(
  facts: Conversation,
  granted: {
    readonly code: string
    readonly pkce: Pkce
    readonly disclosed: Readonly<Record<string, string>>
  },
  deps: ChallengeDeps,
): Promise<ChallengeOutcome> {
  const { clientId } = facts.client
  const { codeVerifier } = granted.pkce
  const form = createTokenRequest({
    grantType: 'authorization_code',
    code: granted.code,
    codeVerifier,
    clientId,
  })
  const { status, body } = await callAuthorizationServer(
    { url: facts.tokenEndpoint, form, client: facts.client },
    deps,
  )
  if (status !== 200) {
    throw new VerificationError(
      'token_refused',
      `The token endpoint answered ${serverError(parseErrorResponse(body).error)}.`,
    )
  }
  const { accessToken, expiresInSeconds = DEFAULT_LIFETIME_SECONDS } = parseTokenResponse(body, {
    dpopBound: true,
  })
  return { kind: 'granted', accessToken, expiresInSeconds, facts: granted.disclosed }
}
