/**
 * Issuances that were interrupted: deferred ones, and ones that a restart found with a token in hand.
 *
 * Owns when to ask again and when to stop. Called again and again by the host; each call does what is due.
 *
 * Source: OpenID4VCI 1.0, section 9; requirements/wallet-issuance.md, W-12.
 *
 * @module
 */
import { type NumericDate, VerificationError } from '@attache/core'
import { makeDeferredCredentialRequest, parseCredentialResponse } from '@attache/openid4vci'
import { abort, abortWith } from './abort.js'
import { clientInstanceAt } from './client-instance.js'
import { discoverIssuer, fetchServer } from './discover-issuer.js'
import { type IssuanceToken, requestIssuanceToken } from './issuance-token.js'
import { callIssuer } from './issuer-call.js'
import { keepCredentials, keepResponse, type TokenFacts } from './keep-credentials.js'
import { agreeOnEncryption, openAnswer, sealRequest } from './message-protection.js'
import type { WalletAgent } from './options.js'
import type { PendingCredential, PendingDeferred, PendingIssuance } from './pending-issuance.js'
import { type IssuancePlan, wantedConfigurations } from './plan-issuance.js'
import type { ReceiveDeps } from './redeem-token.js'
import { errorOf, refused } from './request-credential.js'

/** What became of one interrupted issuance. */
export type ResumedIssuance =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'stored'; readonly credentials: readonly string[] }

/** A token stage this old was left by a process that ended; a younger one may still be at work. */
const LEFT_BEHIND_SECONDS = 60

/** @returns Whether something is to be done for this issuance now. */
export function isDue(pending: PendingIssuance, now: NumericDate): boolean {
  if (pending.stage === 'deferred') return pending.nextPollAt <= now
  return pending.stage === 'token' && pending.createdAt + LEFT_BEHIND_SECONDS <= now
}

/**
 * Goes on with an interrupted issuance.
 *
 * @throws {VerificationError} It ended: a code of `ISSUANCE_ABORTS`. The record is gone.
 */
export async function resumeIssuance(
  facts: {
    readonly agent: WalletAgent
    readonly pending: PendingCredential | PendingDeferred
    readonly now: NumericDate
  },
  deps: ReceiveDeps,
): Promise<ResumedIssuance> {
  const { pending } = facts
  try {
    const ready = await prepare(facts, deps)
    if (pending.stage === 'deferred') return await poll({ ...ready, pending }, deps)
    const kept = await keepCredentials({ ...ready, pending }, deps)
    return { kind: 'stored', credentials: kept.flatMap((one) => (one.kind === 'stored' ? one.held.id : [])) }
  } catch (error) {
    // A network that is down is no answer: the record stays until its deadline.
    if (!(error instanceof VerificationError) || isOutage(error)) throw error
    await deps.pendings.commit([deps.pendings.removing(pending)])
    throw error
  }
}

/** Whether an error says that nobody answered, rather than that somebody refused. */
export function isOutage(error: unknown): boolean {
  if (!(error instanceof VerificationError)) return false
  return ['fetch_failed', 'fetch_timed_out'].includes(error.code) || isOutage(error.cause)
}

async function prepare(
  facts: {
    readonly agent: WalletAgent
    readonly pending: PendingCredential | PendingDeferred
    readonly now: NumericDate
  },
  deps: ReceiveDeps,
): Promise<Omit<TokenFacts, 'pending'>> {
  const { agent, pending, now } = facts
  const issuer = deps.options.issuers.find(
    ({ credentialIssuer }) => credentialIssuer === pending.credentialIssuer,
  )
  if (issuer === undefined) throw abort('untrusted_issuer')
  const metadata = await discoverIssuer(issuer, {
    fetch: deps.fetch,
    algorithms: deps.options.algorithms,
    now,
  })
  const server = await fetchServer(pending.authorizationServer, deps)
  const wanted = wantedConfigurations(pending.configurationIds, metadata, issuer)
  const plan: IssuancePlan = { agent, issuer, metadata, server, wanted, profile: deps.options.profile }
  const client = await clientInstanceAt(
    { agent: agent.id, clientId: agent.clientId, authorizationServer: server.issuer },
    deps,
  )
  const token = await freshToken({ plan, client, now }, pending.token, deps)
  return { plan, client, token, algorithms: deps.options.algorithms, now }
}

async function freshToken(
  facts: Pick<TokenFacts, 'plan' | 'client' | 'now'>,
  token: IssuanceToken,
  deps: ReceiveDeps,
): Promise<IssuanceToken> {
  if (token.expiresAt === undefined || token.expiresAt > facts.now || token.refreshToken === undefined)
    return token
  const request = { grantType: 'refresh_token', refreshToken: token.refreshToken } as const
  const fresh = await requestIssuanceToken({ ...facts, request }, deps)
  const { credentialIdentifiers } = fresh.credentialIdentifiers.size > 0 ? fresh : token
  return { ...fresh, credentialIdentifiers }
}

async function poll(
  facts: Omit<TokenFacts, 'pending'> & { pending: PendingDeferred },
  deps: ReceiveDeps,
): Promise<ResumedIssuance> {
  const { plan, pending, token, client, now } = facts
  const { deferredCredentialEndpoint: url } = plan.metadata
  const [wanted] = plan.wanted
  if (url === undefined || wanted === undefined) throw abort('metadata')
  if (pending.deadline <= now) throw abort('deferral_ended')

  const encryption = agreeOnEncryption(plan)
  const request = { transactionId: pending.transactionId, responseEncryption: encryption.response?.demand }
  const { body, contentType } = await sealRequest(makeDeferredCredentialRequest(request), encryption)
  const answer = await callIssuer({ url, body, contentType, accessToken: token.accessToken, client }, deps)
  if (answer.status !== 200 && answer.status !== 202) throw refused(errorOf(answer))
  const response = await abortWith('response', async () =>
    parseCredentialResponse(answer.status, await openAnswer(answer, encryption)),
  )
  if (response.state === 'pending') {
    if (response.transactionId !== pending.transactionId) throw abort('response')
    const next: PendingDeferred = { ...pending, token, nextPollAt: now + response.interval }
    await deps.pendings.commit([await deps.pendings.storing(next)])
    return { kind: 'waiting' }
  }

  const provider = deps.keysOf(plan.agent.id)
  const keys = await Promise.all(
    pending.keyRefs.map(async (ref) => ({ ref, signer: await provider.signer(ref) })),
  )
  const kept = await keepResponse(facts, { wanted, keys, response }, deps)
  return { kind: 'stored', credentials: kept.kind === 'stored' ? [kept.held.id] : [] }
}
