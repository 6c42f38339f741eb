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
import { isOutage } from './outage.js'
import {
  nextTurn,
  type PendingCredential,
  type PendingDeferred,
  type PendingIssuance,
} from './pending-issuance.js'
import { type IssuancePlan, wantedConfigurations } from './plan-issuance.js'
import type { ReceiveDeps } from './redeem-token.js'
import { errorOf, refused } from './request-credential.js'

/** What became of one interrupted issuance. */
export type ResumedIssuance =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'stored'; readonly credentials: readonly string[] }

/** @returns Whether something is to be done for this issuance now. */
export function isDue(pending: PendingIssuance, now: NumericDate): boolean {
  return pending.stage !== 'authorization' && nextTurn(pending) <= now
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
    if (pending.stage === 'token') await destroyKeys(pending, deps)
    const ready = await prepare(facts, deps)
    if (pending.stage === 'deferred') return await poll({ ...ready, pending }, deps)
    // With the token as it is now: written down again with each step, an older one would end the next attempt.
    return await fetchAnew({ ...ready, pending: { ...pending, token: ready.token } }, deps)
  } catch (error) {
    // A network that is down is no answer: the record stays until its deadline.
    if (!(error instanceof VerificationError) || isOutage(error)) throw error
    await deps.pendings.commit([deps.pendings.removing(pending)])
    throw error
  }
}

async function fetchAnew(
  facts: Omit<TokenFacts, 'pending'> & { readonly pending: PendingCredential },
  deps: ReceiveDeps,
): Promise<ResumedIssuance> {
  const kept = await keepCredentials(facts, deps)
  return { kind: 'stored', credentials: kept.flatMap((one) => (one.kind === 'stored' ? one.held.id : [])) }
}

async function destroyKeys(
  { agent, keyRefs = [] }: Pick<PendingCredential, 'agent' | 'keyRefs'>,
  deps: ReceiveDeps,
): Promise<void> {
  const provider = deps.keysOf(agent)
  await Promise.all(keyRefs.map((ref) => provider.destroy(ref)))
}

// The answer with the credential was lost on its way to us; the token is still good to ask for another one.
async function startOver(
  facts: Omit<TokenFacts, 'pending'> & { readonly pending: PendingDeferred },
  deps: ReceiveDeps,
): Promise<ResumedIssuance> {
  const { agent, credentialIssuer, authorizationServer, configurationIds, createdAt, deadline, id } =
    facts.pending
  const pending: PendingCredential = {
    ...{ agent, credentialIssuer, authorizationServer, configurationIds, createdAt, deadline, id },
    stage: 'token',
    token: facts.token,
  }
  await deps.pendings.commit([await deps.pendings.storing(pending)])
  await destroyKeys(facts.pending, deps)
  return fetchAnew({ ...facts, pending }, deps)
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
  // A refreshed token may have taken the place of the old one at the server: this one is all there is.
  if (token !== pending.token)
    await deps.pendings.commit([await deps.pendings.storing({ ...pending, token })])
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
  // Durable before it goes out: the issuer may hold its answer for delivered when we never had it.
  await deps.pendings.commit([await deps.pendings.storing({ ...pending, token, asking: true })])
  const answer = await callIssuer({ url, body, contentType, accessToken: token.accessToken, client }, deps)
  if (answer.status !== 200 && answer.status !== 202) {
    const error = errorOf(answer)
    if (error === 'invalid_transaction_id' && pending.asking === true) return startOver(facts, deps)
    throw refused(answer)
  }
  const response = await abortWith('response', async () =>
    parseCredentialResponse(answer.status, await openAnswer(answer, encryption)),
  )
  if (response.state === 'pending') {
    if (response.transactionId !== pending.transactionId) throw abort('response')
    const next: PendingDeferred = { ...pending, token, asking: false, nextPollAt: now + response.interval }
    await deps.pendings.commit([await deps.pendings.storing(next)])
    return { kind: 'waiting' }
  }

  const provider = deps.keysOf(plan.agent.id)
  const keys = await Promise.all(
    pending.keyRefs.map(async (ref) => ({ ref, signer: await provider.signer(ref) })),
  )
  const settle = async () => deps.pendings.removing(pending)
  const kept = await keepResponse(facts, { wanted, settle, keys, response }, deps)
  return { kind: 'stored', credentials: kept.kind === 'stored' ? [kept.held.id] : [] }
}
