/**
 * The gate in front of a route: every call is judged anew.
 *
 * Token, proof, scope, then what stands behind the token: expiry, trust and status of the credential, and the
 * decision on its claims. A valid token of a revoked credential opens nothing.
 *
 * Source: RFC 9449, section 7; RFC 6750, section 3.1; requirements/headless-presentation.md, (b) 7.
 *
 * @module
 */
import {
  type Clock,
  type JsonObject,
  type Log,
  type NumericDate,
  ProtocolError,
  type Random,
  randomId,
  type Store,
} from '@attache/core'
import type { Seal, Signer } from '@attache/keys'
import { externalUrl } from '@attache/oauth'
import type { StatusReference, StatusResolver } from '@attache/status-list'
import type { RecordEvent } from './audit-record.js'
import { type AuthenticateCallDeps, type AuthenticatedCall, authenticateCall } from './authenticate-call.js'
import { acceptSignature } from './call-signature.js'
import { decideCall, type Refusal } from './decision.js'
import { type ProblemCode, reasonOf, tokenProblem } from './errors.js'
import { createRefusedCalls } from './explanation.js'
import { checksUntil } from './gate-checks.js'
import type { ReadSigning } from './message-signing.js'
import { isPlainRequest } from './plain-request.js'
import { type Presentation, type PresentedCredential, parsePresentation } from './presentation.js'
import { tokenKey } from './presentation-token.js'
import { problemResponse } from './problem.js'
import { callerKey, challengeByRequestUri, helpsToPresent } from './request-uri-challenge.js'
import { type AskedRequirement, credentialOfFirstQuery, type ReadRequirement } from './requirement.js'
import type { Settings } from './settings.js'
import { signAnswer } from './signed-answer.js'
import { type StepUpDemand, stepUpNeeded } from './step-up.js'
import type { ActiveTrust } from './trust-source.js'

/** What a gate needs. */
export interface GateDeps extends AuthenticateCallDeps {
  readonly settings: Settings
  /** Whose credentials count now; asked once for each call. */
  readonly trust: () => ActiveTrust
  readonly statuses: StatusResolver
  readonly store: Pick<Store, 'get' | 'commit' | 'put'>
  /** Seals the challenges of routes without an authorization server. */
  readonly seal: Seal
  /** Signs requests, and answers where a route says so. */
  readonly signer: Signer
  /** How long it is known why a call was refused, in seconds; 0: not at all. */
  readonly explanationSeconds: number
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly record: RecordEvent
}

/** Let in, with what was presented; or kept out, with the answer to send. */
export type GateOutcome<Claims = JsonObject> =
  | {
      readonly allowed: true
      readonly presentation: AcceptedPresentation<Claims>
      /** There where the route signs its answers: what the handler answers goes through it. */
      readonly signResponse?: SignResponse | undefined
    }
  | { readonly allowed: false; readonly response: Response }

/** Signs the answer to one call (RFC 9421, section 2.4). */
export type SignResponse = (response: Response) => Promise<Response>

/** Judges calls to one route. */
export interface Gate<Claims = JsonObject> {
  (request: Request): Promise<GateOutcome<Claims>>
  /** Whether it verifies bodies, so that a host must hand them over, unread. @default false */
  readonly readsBody?: boolean
}

/** What the handler of a guarded route sees. */
export interface AcceptedPresentation<Claims = JsonObject> {
  /** Claims of the first credential query: exactly what this API learned of it, under the types of that query. */
  readonly claims: Claims
  /** Who issued that credential; with a claim of identity, only the pair is unique. */
  readonly issuer: string
  /** RFC 7638 thumbprint of its bound key; absent without holder binding. */
  readonly holderKey: string | undefined
  /** Where its status is kept; it was good at this call. */
  readonly status: StatusReference | undefined
  /** Id of this call in the log. */
  readonly transaction: string
  /** Everything that was presented, credential by credential. */
  readonly credentials: readonly PresentedCredential[]
  /**
   * What the signature of this call covers, as `"content-digest"`: every other header field is anybody's word. Absent
   * on routes that want no signature.
   */
  readonly signedComponents: readonly string[] | undefined
}

interface LetIn<Claims> extends Pick<AuthenticatedCall, 'signedComponents'> {
  readonly caller: KnownCaller
  readonly presentation: Presentation
  readonly claims: Claims
  readonly policies: readonly string[]
}

function accept<Claims>(
  { presentation: { credentials }, claims, signedComponents }: LetIn<Claims>,
  requirement: AskedRequirement,
  transaction: string,
): AcceptedPresentation<Claims> {
  const first = credentialOfFirstQuery(requirement, credentials)
  return {
    claims,
    issuer: first?.issuer ?? '',
    holderKey: first?.holderKey,
    status: first?.status,
    transaction,
    credentials,
    signedComponents,
  }
}

interface Denial {
  readonly code: ProblemCode
  readonly error?: string | undefined
  readonly refusal?: Refusal | undefined
  readonly stepUp?: StepUpDemand | undefined
  readonly headers?: Readonly<Record<string, string>>
  /** Ids of the policies that decided. */
  readonly policies?: readonly string[]
  /** Whose token it was; absent where none held. */
  readonly caller?: KnownCaller
}

/** Names of a call whose token and proof held, for the audit trail. */
interface KnownCaller {
  readonly client: string
  /** Id of the presentation behind the token. */
  readonly presented?: string
}

/**
 * Creates the gate of a route.
 *
 * Source: RFC 9449, section 7.1.
 */
export function createGate<Claims>(requirement: ReadRequirement<Claims>, deps: GateDeps): Gate<Claims> {
  const { signing } = requirement
  const keepRefused = createRefusedCalls(deps)
  const gate = async (request: Request): Promise<GateOutcome<Claims>> => {
    const transaction = randomId(deps.random, 'txn')
    const trust = deps.trust()
    const judged = await judgeCall(request, requirement, { ...deps, trust: () => trust })
    const about = { transaction, scope: requirement.scope, trust: trust.trustVersion }
    const policies = judged.policies?.length ? { policies: judged.policies.join(' ') } : {}
    await writeDown(judged, about, deps)
    if ('presentation' in judged) {
      const presented = judged.presentation.transaction
      deps.log.info('verifier.gate.allowed', { ...about, presented, ...policies })
      const signResponse = responseSigner(request, signing, deps)
      return { allowed: true, presentation: accept(judged, requirement, transaction), signResponse }
    }
    const { code, refusal } = judged
    const reason = refusal?.reason === undefined ? {} : { reason: refusal.reason }
    const line = { ...about, code, checks: checksUntil(code), ...policies, ...reason }
    deps.log.warn('verifier.gate.refused', line)
    await keepRefused({ transaction, code, policies: judged.policies ?? [], now: deps.clock() })
    const response = await refuse(request, judged, { requirement, transaction, deps })
    const asking = askForSignature(response, request, signing)
    const sign = responseSigner(request, signing, deps)
    return { allowed: false, response: sign === undefined ? asking : await sign(asking) }
  }
  return Object.assign(gate, { readsBody: signing.requests !== undefined })
}

// Before the answer: nobody is let in that the trail does not know of. Who shows no token is not written down.
async function writeDown<Claims>(
  judged: LetIn<Claims> | Denial,
  about: { readonly transaction: string; readonly scope: string; readonly trust: string },
  { record }: GateDeps,
): Promise<void> {
  if (judged.caller === undefined) return
  const { policies = [] } = judged
  const { transaction, ...named } = about
  const facts = { ...judged.caller, ...named, ...(policies.length === 0 ? {} : { policies }) }
  if ('presentation' in judged) {
    return record({ kind: 'verifier.call_allowed', subject: transaction, facts })
  }
  return record({
    kind: 'verifier.call_refused',
    subject: transaction,
    facts: { ...facts, code: judged.code },
  })
}

// Every 401, whatever is missing: the next attempt has to be signed.
function askForSignature(response: Response, request: Request, { requests }: ReadSigning): Response {
  if (response.status !== 401 || requests === undefined || response.headers.has('Accept-Signature')) {
    return response
  }
  for (const [name, value] of Object.entries(acceptSignature(request, requests))) {
    response.headers.set(name, value)
  }
  return response
}

function responseSigner(request: Request, signing: ReadSigning, deps: GateDeps): SignResponse | undefined {
  if (!signing.responses) return undefined
  const url = externalUrl(deps.settings.origin, request.url)
  return (response) => signAnswer(response, { request, url }, deps)
}

async function refuse(
  request: Request,
  denial: Denial,
  context: {
    readonly requirement: Pick<ReadRequirement, 'scope' | 'query' | 'challenge'>
    readonly transaction: string
    readonly deps: GateDeps
  },
): Promise<Response> {
  const { requirement, transaction, deps } = context
  const { scope } = requirement
  if (requirement.challenge === 'metadata' || !helpsToPresent(denial.code)) {
    return problemResponse({ ...denial, scope, transaction }, deps.settings)
  }
  const now = deps.clock()
  try {
    const call = { request, url: externalUrl(deps.settings.origin, request.url), now }
    // The proof of a call with a token speaks of that token, which did not count.
    const tokenRefused = denial.code !== 'token_missing'
    const jkt = tokenRefused ? undefined : callerKey(call, deps)
    return challengeByRequestUri({ requirement, jkt, tokenRefused, now }, deps)
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    const problem = { code: 'proof_invalid', error: error.code, scope, transaction } as const
    return problemResponse(problem, deps.settings)
  }
}

async function judgeCall<Claims>(
  request: Request,
  requirement: ReadRequirement<Claims>,
  deps: GateDeps,
): Promise<LetIn<Claims> | Denial> {
  if (!isPlainRequest(request)) return { code: 'request_malformed' }
  const url = externalUrl(deps.settings.origin, request.url)
  const { signing } = requirement
  const caller = await authenticate({ request, url, now: deps.clock(), signing }, deps)
  if ('code' in caller) return caller
  // Where a body was verified it had its time: what stands behind the token is judged when the call is there in whole.
  const now = deps.clock()
  const { token, signedComponents } = caller
  const client = token.clientId
  if (!(token.scope ?? '').split(' ').includes(requirement.scope)) {
    return { code: 'scope_insufficient', error: 'insufficient_scope', caller: { client } }
  }
  const kept = await deps.store.get(tokenKey(token.jti))
  const presentation = kept === undefined ? undefined : parsePresentation(kept.value)
  if (presentation === undefined) return { code: 'token_invalid', error: 'invalid_token', caller: { client } }
  const known = { client, presented: presentation.transaction }
  for (const credential of presentation.credentials) {
    const code = await credentialProblem(credential, now, deps)
    if (code !== undefined) return { ...denial(code), caller: known }
  }
  const stepUp = stepUpNeeded(requirement.stepUp, presentation, now)
  if (stepUp !== undefined) {
    return { code: 'step_up_needed', error: 'insufficient_user_authentication', stepUp, caller: known }
  }
  const own = credentialOfFirstQuery(requirement, presentation.credentials)?.claims ?? {}
  const call = { method: request.method, url, clientId: client }
  const decision = await decideCall(requirement, { own, presentation, call })
  const { policies } = decision
  if (decision.allowed) {
    return { presentation, claims: decision.claims, policies, signedComponents, caller: known }
  }
  const code = decision.failed ? 'decision_failed' : 'decision_denied'
  return { code, error: 'insufficient_scope', refusal: decision.refusal, policies, caller: known }
}

// A 401 lets the agent present again, perhaps with a renewed credential; an outage here is not its fault.
function denial(code: ProblemCode): Denial {
  return code === 'status_unavailable' ? { code } : { code, error: 'invalid_token' }
}

async function authenticate(
  call: Parameters<typeof authenticateCall>[0],
  deps: GateDeps,
): Promise<AuthenticatedCall | Denial> {
  try {
    return await authenticateCall(call, deps)
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    const code = tokenProblem(error.code)
    // No word of OAuth: nothing was sent, or what was sent says nothing about the token.
    const silent = code === 'token_missing' || code === 'body_too_large' || code === 'body_too_slow'
    return { code, error: silent ? undefined : error.code, headers: error.headers }
  }
}

async function credentialProblem(
  credential: PresentedCredential,
  now: NumericDate,
  { trust: active, statuses }: GateDeps,
): Promise<ProblemCode | undefined> {
  if (credential.expiresAt !== undefined && credential.expiresAt <= now) return 'credential_expired'
  const trust = active().issuers.statusTrust(credential.trust)
  // The rule that vouched was taken out of the configuration: so is its word.
  if (trust === undefined) return 'credential_revoked'
  if (credential.status === undefined) return undefined
  try {
    const statement = await statuses.resolve(credential.status, { trust, now })
    return statement.status === 'valid' ? undefined : 'credential_revoked'
  } catch (error) {
    if (reasonOf(error) === undefined) throw error
    return 'status_unavailable'
  }
}
