/**
 * The agent's one question: may this request go out with an authorization?
 *
 * Owns what happens between an API's refusal and the headers of the next attempt: find a token, or obtain one
 * by presenting, or give nothing. The agent names a method and a URL and hands over what the API said; whom
 * that URL belongs to, what may be shown, and for what, is configuration and policy. Every refusal looks the
 * same from outside; the journal has the reason.
 *
 * Source: design of the runtime path; RFC 9449, sections 7 and 9; RFC 9728, section 5.
 *
 * @module
 */
import type { ApiChallenge, AuthorizationAnswer, AuthorizationQuestion, NonceReport } from '@attache/agent'
import { type NumericDate, ProtocolError, VerificationError } from '@attache/core'
import { type Challenge, headersWithProof, parseWwwAuthenticate } from '@attache/oauth'
import type { AccessTokens, HeldToken } from './access-tokens.js'
import { type ChallengeDeps, type ChallengeOutcome, runChallengeRoute } from './challenge-route.js'
import { clientInstanceAt } from './client-instance.js'
import type { Decision, Explanations } from './explanations.js'
import type { KillSwitch } from './kill-switch.js'
import type { TrustedVerifier, WalletAgent, WalletOptions } from './options.js'
import {
  type PresentationChallenge,
  parsePresentationChallenge,
  runPresentationChallenge,
} from './presentation-challenge.js'
import { covers, discoverAuthorization } from './protected-resource.js'
import type { RefusalLimit } from './refusal-limit.js'
import { signCall } from './sign-call.js'
import type { SingleFlight } from './single-flight.js'
import { requireNoneWanted, type TokenSignatures } from './token-signatures.js'
import type { Vault } from './vault.js'

/** What answering agents needs. */
export interface AuthorizeCallDeps extends ChallengeDeps {
  readonly options: WalletOptions
  readonly vault: Vault
  readonly tokens: AccessTokens
  readonly explanations: Explanations
  readonly killSwitch: KillSwitch
  readonly refusals: RefusalLimit
  readonly flights: SingleFlight<HeldToken | undefined>
}

/** A question of one agent. */
export interface CallFacts {
  readonly agent: WalletAgent
  readonly question: AuthorizationQuestion
  readonly now: NumericDate
}

/** A token this young is not the one that an API has just called invalid. */
const JUST_MINTED_SECONDS = 2

const NOTHING: AuthorizationAnswer = { outcome: 'none' }

const STOPPED = { code: 'agent_stopped', message: 'The kill switch of this agent is on.' } as const

/** What is refused is the proof or the signature: another one serves. */
const SAYS_NOTHING_OF_TOKEN: ReadonlySet<string> = new Set(['use_dpop_nonce', 'invalid_signature'])

/** Answers one question. Never rejects for a reason of the API or its server. */
export async function authorizeCall(facts: CallFacts, deps: AuthorizeCallDeps): Promise<AuthorizationAnswer> {
  const verifier = verifierOf(facts.question.url, deps.options)
  const answer = await answerTo(facts, verifier, deps)
  if (answer.outcome !== 'none' || verifier?.signedAnswers !== 'required') return answer
  // Else whoever ends TLS on the way would answer in the API's place before it could ask for anything.
  return { ...answer, signedResponse: true }
}

async function answerTo(
  facts: CallFacts,
  verifier: TrustedVerifier | undefined,
  deps: AuthorizeCallDeps,
): Promise<AuthorizationAnswer> {
  const { agent, question } = facts
  const { challenge } = question
  if (verifier === undefined) {
    if (challenge === undefined) return NOTHING
    return explain(facts, { code: 'unknown_api', message: 'No configured verifier guards this API.' }, deps)
  }
  if (await deps.killSwitch.isStopped(agent.id)) return explain(facts, STOPPED, deps)
  if (challenge === undefined) {
    const held = await heldToken({ ...facts, verifier }, undefined, deps)
    return held === undefined ? NOTHING : withProof(facts, held, deps)
  }

  if (challenge.dpopNonce !== undefined) {
    noteNonce(agent.id, { url: question.url, dpopNonce: challenge.dpopNonce }, deps)
  }
  const said = readChallenge(challenge)
  if (said === undefined) {
    const message = 'The API says nothing this wallet can answer.'
    return explain(facts, { code: 'challenge_unusable', message }, deps)
  }
  const token = await tokenFor({ ...facts, verifier, said }, deps)
  if ('outcome' in token) return token
  if (!(await deps.killSwitch.isStopped(agent.id))) return withProof(facts, token, deps)
  // Pulled while the token was on its way: the tokens that were dropped then did not have this one among them.
  await deps.tokens.drop(agent.id, token)
  return explain(facts, STOPPED, deps)
}

/** Takes a nonce that came with an API's answer. */
export function noteNonce(agent: string, report: NonceReport, deps: Pick<AuthorizeCallDeps, 'memory'>): void {
  deps.memory.nonces(agent, 'api').note(report.url, headersWithNonce(report.dpopNonce))
}

function headersWithNonce(nonce: string): Headers {
  // A value no header can hold is no nonce either.
  return /^[\x21-\x7e]{1,1024}$/.test(nonce) ? new Headers({ 'DPoP-Nonce': nonce }) : new Headers()
}

/** The verifier that the configuration names for a URL. */
export function verifierOf(url: string, options: WalletOptions): TrustedVerifier | undefined {
  const { origin } = new URL(url)
  return options.verifiers.find(({ apis }) => apis.includes(origin))
}

/** What a challenge says, as far as it concerns us. */
interface Said {
  readonly error: string | undefined
  readonly scope: string | undefined
  readonly metadataUrl: string | undefined
  /** Where the API asks for the presentation itself. */
  readonly presentation?: PresentationChallenge
}

function readChallenge({ status, wwwAuthenticate, body }: ApiChallenge): Said | undefined {
  try {
    const challenges = parseWwwAuthenticate(wwwAuthenticate.join(', '))
    const ours = challenges.find(({ scheme }) => scheme === 'dpop') ?? challenges.find(hasMetadata)
    const asked = challenges.find(asksForPresentation)
    // An authorization server comes first: its tokens serve more than one API.
    if (status === 401 && !challenges.some(hasMetadata) && asked !== undefined) {
      const presentation = parsePresentationChallenge(body)
      // An API that says so refuses the very token it was sent: that one is not sent again.
      const error = asked.parameters.get('error') ?? ours?.parameters.get('error')
      return { error, scope: undefined, metadataUrl: undefined, presentation }
    }
    if (ours === undefined) return undefined
    const { parameters } = ours
    const [error, scope] = [parameters.get('error'), parameters.get('scope')]
    return { error, scope, metadataUrl: parameters.get('resource_metadata') }
  } catch (error) {
    if (error instanceof VerificationError) return undefined
    throw error
  }
}

function hasMetadata({ parameters }: Challenge): boolean {
  return parameters.has('resource_metadata')
}

function asksForPresentation({ scheme, parameters }: Challenge): boolean {
  return scheme === 'openid4vp' && parameters.get('version') === '1'
}

interface ChallengedCall extends CallFacts {
  readonly verifier: TrustedVerifier
  readonly said: Said
}

/** A token from before signed answers were required does not count any more: its answers would go unverified. */
async function heldToken(
  { agent, question, verifier, now }: CallFacts & { readonly verifier: TrustedVerifier },
  scope: string | undefined,
  deps: AuthorizeCallDeps,
): Promise<HeldToken | undefined> {
  const held = await deps.tokens.find(agent.id, { url: question.url, scope }, now)
  const isUnsigned = held !== undefined && held.signatures.responsesBy === undefined
  return isUnsigned && verifier.signedAnswers === 'required' ? undefined : held
}

async function tokenFor(
  facts: ChallengedCall,
  deps: AuthorizeCallDeps,
): Promise<HeldToken | AuthorizationAnswer> {
  const { agent, question, said, now } = facts
  const { scope, error } = said
  const held = await heldToken(facts, scope, deps)
  const young = held !== undefined && now - held.mintedAt < JUST_MINTED_SECONDS
  if (held !== undefined && error === 'insufficient_scope') {
    return explain(
      facts,
      { code: 'scope_exhausted', message: 'The API refuses the very scope it asked for.' },
      deps,
    )
  }
  if (held !== undefined && (young || error === undefined || SAYS_NOTHING_OF_TOKEN.has(error))) return held
  if (held !== undefined) await deps.tokens.drop(agent.id, held)

  // Many calls refused at once are one reason to present, not many; of one resource, that is.
  const { origin } = new URL(question.url)
  const flight = JSON.stringify([agent.id, origin, scope ?? null, said.metadataUrl ?? null])
  let reference: string | undefined
  const token = await deps.flights.run(flight, async () => {
    const obtained = await obtainToken(facts, deps)
    if (typeof obtained !== 'string') return obtained
    reference = obtained
    return undefined
  })
  if (token !== undefined && covers(token.resource, question.url)) return token
  return reference === undefined ? NOTHING : { outcome: 'none', reference }
}

/** @returns The token, or the reference of the refusal in the journal. */
async function obtainToken(facts: ChallengedCall, deps: AuthorizeCallDeps): Promise<HeldToken | string> {
  const { agent, verifier, now } = facts
  const about = {
    api: new URL(facts.question.url).origin,
    verifier: verifier.clientId,
    scope: facts.said.scope ?? '',
  }
  const write = (entry: Pick<Decision, 'outcome' | 'code' | 'message' | 'facts'>) =>
    deps.explanations.record(
      { agent: agent.id, event: 'present', ...entry, facts: { ...about, ...entry.facts } },
      now,
    )
  if (!deps.refusals.mayTry(agent.id, verifier.clientId, now)) {
    return write({
      outcome: 'refused',
      code: 'refusal_limit',
      message: 'This verifier was refused too often. Wait.',
      facts: {},
    })
  }
  try {
    const { outcome, resource, authorizationServer, signatures } = await earnToken(facts, deps)
    if (outcome.kind === 'denied') {
      deps.refusals.note(agent.id, verifier.clientId, now)
      return await write({
        outcome: 'refused',
        code: outcome.code,
        message: outcome.message,
        facts: outcome.facts,
      })
    }
    const token: HeldToken = {
      accessToken: outcome.accessToken,
      resource,
      scope: facts.said.scope ?? '',
      authorizationServer,
      signatures,
      mintedAt: now,
      expiresAt: now + outcome.expiresInSeconds,
    }
    await deps.tokens.keep(agent.id, token)
    await write({
      outcome: 'granted',
      code: 'presented',
      message: 'Presented, and a token was granted.',
      facts: outcome.facts,
    })
    return token
  } catch (error) {
    if (!(error instanceof VerificationError) && !(error instanceof ProtocolError)) throw error
    return write({ outcome: 'refused', code: error.code, message: error.message, facts: {} })
  }
}

/** What a presentation earned, for which resource, whom the DPoP key belongs to, and what is signed with it. */
interface Earned {
  readonly outcome: ChallengeOutcome
  readonly resource: string
  readonly authorizationServer: string
  readonly signatures: TokenSignatures
}

async function earnToken(facts: ChallengedCall, deps: AuthorizeCallDeps): Promise<Earned> {
  const { agent, verifier, said, now, question } = facts
  const clientAt = (authorizationServer: string) =>
    clientInstanceAt({ agent: agent.id, clientId: agent.clientId, authorizationServer }, deps)
  if (said.presentation !== undefined) {
    // The API is its own authorization server: the token is for its origin, and so is the key.
    const { origin } = new URL(question.url)
    const { presentation: challenge } = said
    requireNoneWanted(verifier)
    const client = await clientAt(origin)
    const outcome = await runPresentationChallenge({ client, challenge, origin, now }, deps)
    return { outcome, resource: origin, authorizationServer: origin, signatures: {} }
  }
  const wanted = { url: question.url, metadataUrl: said.metadataUrl, scope: said.scope, verifier }
  const { resource, authorizationServer: server, signatures } = await discoverAuthorization(wanted, deps)
  const client = await clientAt(server.issuer)
  const { profile, algorithms, errorDelivery = 'local' } = deps.options
  const outcome = await runChallengeRoute(
    { client, verifier, server, scope: said.scope, profile, algorithms, errorDelivery, now },
    deps,
  )
  return { outcome, resource, authorizationServer: server.issuer, signatures }
}

async function withProof(
  facts: CallFacts,
  token: HeldToken,
  deps: AuthorizeCallDeps,
): Promise<AuthorizationAnswer> {
  const { agent, question, now } = facts
  const { authorizationServer, accessToken } = token
  const where = { agent: agent.id, clientId: agent.clientId, authorizationServer }
  const { dpop: signer } = await clientInstanceAt(where, deps)
  const proofDeps = {
    signer,
    nonces: deps.memory.nonces(agent.id, 'api'),
    clock: () => now,
    random: deps.random,
  }
  const authorization = await headersWithProof(
    question.url,
    { method: question.method, accessToken },
    proofDeps,
  )
  const call = { question, authorization, known: token.signatures, signer, now }
  try {
    const { headers, known } = await signCall(call, deps)
    // What an API asked for in a refusal it will ask for again.
    if (known !== token.signatures) await deps.tokens.keep(agent.id, { ...token, signatures: known })
    const awaited = known.responsesBy !== undefined && question.message !== undefined
    const answer = { outcome: 'authorized', headers: { ...authorization, ...headers } } as const
    return awaited ? { ...answer, signedResponse: true } : answer
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error
    return explain(facts, { code: error.code, message: error.message }, deps)
  }
}

async function explain(
  facts: CallFacts,
  reason: { readonly code: string; readonly message: string },
  deps: AuthorizeCallDeps,
): Promise<AuthorizationAnswer> {
  const about = { api: new URL(facts.question.url).origin, method: facts.question.method }
  const decision = {
    agent: facts.agent.id,
    event: 'present',
    outcome: 'refused',
    facts: about,
    ...reason,
  } as const
  return { outcome: 'none', reference: await deps.explanations.record(decision, facts.now) }
}
