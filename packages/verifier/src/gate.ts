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
import type { KeyPool, PublicJwk, Signer } from '@attache/keys'
import {
  type AccessTokenClaims,
  externalUrl,
  parsePresentedToken,
  rememberProof,
  replayedProof,
  requireConfirmation,
  type ServerNonces,
  verifyAccessToken,
  verifyDpopProof,
} from '@attache/oauth'
import type { StatusReference, StatusResolver } from '@attache/status-list'
import { PLACE } from './client-authentication.js'
import { decideCall, type Refusal } from './decision.js'
import { type ProblemCode, reasonOf, tokenProblem } from './errors.js'
import { checksUntil } from './gate-checks.js'
import type { IssuerTrust } from './issuer-trust.js'
import { isPlainRequest } from './plain-request.js'
import { type Presentation, type PresentedCredential, parsePresentation } from './presentation.js'
import { tokenKey } from './presentation-token.js'
import { problemResponse } from './problem.js'
import { callerKey, challengeByRequestUri, helpsToPresent } from './request-uri-challenge.js'
import { type AskedRequirement, credentialOfFirstQuery, type ReadRequirement } from './requirement.js'
import type { Settings } from './settings.js'
import { shownCertificate } from './shown-certificate.js'
import { type StepUpDemand, stepUpNeeded } from './step-up.js'

/** What a gate needs. */
export interface GateDeps {
  readonly settings: Settings
  /** Keys that sign access tokens. */
  readonly tokenKeys: readonly PublicJwk[]
  /** When given, proofs need a nonce of this resource. */
  readonly resourceNonces?: ServerNonces | undefined
  /** Keys of proofs, imported once. */
  readonly proofKeys?: KeyPool | undefined
  readonly issuers: IssuerTrust
  readonly statuses: StatusResolver
  readonly store: Pick<Store, 'get' | 'commit' | 'put'>
  /** Signs requests. */
  readonly signer: Signer
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** Let in, with what was presented; or kept out, with the answer to send. */
export type GateOutcome<Claims = JsonObject> =
  | { readonly allowed: true; readonly presentation: AcceptedPresentation<Claims> }
  | { readonly allowed: false; readonly response: Response }

/** Judges calls to one route. */
export type Gate<Claims = JsonObject> = (request: Request) => Promise<GateOutcome<Claims>>

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
}

interface LetIn<Claims> {
  readonly presentation: Presentation
  readonly claims: Claims
  readonly policies: readonly string[]
}

function accept<Claims>(
  { presentation: { credentials }, claims }: LetIn<Claims>,
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
}

/**
 * Creates the gate of a route.
 *
 * Source: RFC 9449, section 7.1.
 */
export function createGate<Claims>(requirement: ReadRequirement<Claims>, deps: GateDeps): Gate<Claims> {
  return async (request) => {
    const transaction = randomId(deps.random, 'txn')
    const judged = await judgeCall(request, requirement, deps)
    const { scope } = requirement
    const policies = judged.policies?.length ? { policies: judged.policies.join(' ') } : {}
    if ('presentation' in judged) {
      const presented = judged.presentation.transaction
      deps.log.info('verifier.gate.allowed', { transaction, scope, presented, ...policies })
      return { allowed: true, presentation: accept(judged, requirement, transaction) }
    }
    const { code, refusal } = judged
    const reason = refusal?.reason === undefined ? {} : { reason: refusal.reason }
    const line = { transaction, scope, code, checks: checksUntil(code), ...policies, ...reason }
    deps.log.warn('verifier.gate.refused', line)
    const response = await refuse(request, judged, { requirement, transaction, deps })
    return { allowed: false, response }
  }
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
    return await challengeByRequestUri({ requirement, jkt, tokenRefused, now }, deps)
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
  const now = deps.clock()
  if (!isPlainRequest(request)) return { code: 'request_malformed' }
  const url = externalUrl(deps.settings.origin, request.url)
  const token = await authenticate({ request, url, now }, deps)
  if ('code' in token) return token
  if (!(token.scope ?? '').split(' ').includes(requirement.scope)) {
    return { code: 'scope_insufficient', error: 'insufficient_scope' }
  }
  const kept = await deps.store.get(tokenKey(token.jti))
  const presentation = kept === undefined ? undefined : parsePresentation(kept.value)
  if (presentation === undefined) return { code: 'token_invalid', error: 'invalid_token' }
  for (const credential of presentation.credentials) {
    const code = await credentialProblem(credential, now, deps)
    if (code !== undefined) return denial(code)
  }
  const stepUp = stepUpNeeded(requirement.stepUp, presentation, now)
  if (stepUp !== undefined) {
    return { code: 'step_up_needed', error: 'insufficient_user_authentication', stepUp }
  }
  const own = credentialOfFirstQuery(requirement, presentation.credentials)?.claims ?? {}
  const call = { method: request.method, url, clientId: token.clientId }
  const decision = await decideCall(requirement, { own, presentation, call })
  const { policies } = decision
  if (decision.allowed) return { presentation, claims: decision.claims, policies }
  const code = decision.failed ? 'decision_failed' : 'decision_denied'
  return { code, error: 'insufficient_scope', refusal: decision.refusal, policies }
}

// A 401 lets the agent present again, perhaps with a renewed credential; an outage here is not its fault.
function denial(code: ProblemCode): Denial {
  return code === 'status_unavailable' ? { code } : { code, error: 'invalid_token' }
}

async function authenticate(
  call: { readonly request: Request; readonly url: string; readonly now: NumericDate },
  deps: GateDeps,
): Promise<AccessTokenClaims | Denial> {
  try {
    return await verifyCall(call, deps)
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    if (error.code === 'token_missing') return { code: 'token_missing' }
    return { code: tokenProblem(error.code), error: error.code, headers: error.headers }
  }
}

async function verifyCall(
  { request, url, now }: { readonly request: Request; readonly url: string; readonly now: NumericDate },
  { settings, tokenKeys, store, resourceNonces, proofKeys: keys }: GateDeps,
): Promise<AccessTokenClaims> {
  const presented = parsePresentedToken(request.headers.get('Authorization'), request.url)
  if (presented === undefined) throw new ProtocolError('token_missing', 'Send an access token.')
  const { origin, algorithms } = settings
  const { accessToken, scheme } = presented
  const token = verifyAccessToken(
    accessToken,
    { issuer: origin, audience: origin, keys: tokenKeys, algorithms },
    now,
  )
  if (scheme === 'bearer') requireConfirmation({ scheme, confirmation: token.confirmation }, {})
  const expected = { method: request.method, url, algorithms, accessToken, nonces: resourceNonces, keys }
  const proof = verifyDpopProof(request.headers.get('DPoP'), expected, now)
  const certificateThumbprint = shownCertificate(request.headers, settings.clientCertificate)
  requireConfirmation({ scheme, confirmation: token.confirmation }, { jkt: proof.jkt, certificateThumbprint })
  // Last: a proof that fails another check must not use up the number of one that would hold.
  if (!(await store.commit([rememberProof(proof, PLACE)]))) throw replayedProof()
  return token
}

async function credentialProblem(
  credential: PresentedCredential,
  now: NumericDate,
  { issuers, statuses }: GateDeps,
): Promise<ProblemCode | undefined> {
  if (credential.expiresAt !== undefined && credential.expiresAt <= now) return 'credential_expired'
  const trust = issuers.statusTrust(credential.trust)
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
