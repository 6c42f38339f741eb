/**
 * From a granted token to a reply: the token is made durable, the credentials are fetched and kept.
 *
 * The last stretch that every grant shares. Pauses before the token are `receive-offer.ts` and
 * `authorization-code.ts`.
 *
 * Source: OpenID4VCI 1.0, sections 8 and 9.
 *
 * @module
 */
import type { ReceiveReply } from '@attache/agent'
import { type NumericDate, randomId, type StoreStep, VerificationError } from '@attache/core'
import type { AuthorizationServerCallDeps } from './authorization-server-call.js'
import type { ClientInstance, ClientInstanceDeps } from './client-instance.js'
import type { IssuanceToken } from './issuance-token.js'
import { type KeepDeps, type KeptCredential, keepCredentials } from './keep-credentials.js'
import type { WalletOptions } from './options.js'
import { isOutage } from './outage.js'
import { nextTurn, type PendingCredential } from './pending-issuance.js'
import type { IssuancePlan } from './plan-issuance.js'

/** What receiving needs. */
export interface ReceiveDeps extends KeepDeps, AuthorizationServerCallDeps, ClientInstanceDeps {
  readonly options: WalletOptions
}

/** A token that led to no credential is given up after so long, in seconds. */
const TOKEN_STAGE_SECONDS = 86_400

/**
 * Keeps what a token is good for; the token is durable first, so that a crash loses no credential. Where nobody
 * answers, the issuance waits for the next round of maintenance.
 *
 * @param facts.steps What is settled by having the token, in the same commit.
 */
export async function redeem(
  facts: {
    readonly plan: IssuancePlan
    readonly client: ClientInstance
    readonly token: IssuanceToken
    readonly now: NumericDate
    readonly steps?: readonly StoreStep[]
  },
  deps: ReceiveDeps,
): Promise<ReceiveReply> {
  const { plan, token, now, steps = [] } = facts
  const pending: PendingCredential = {
    stage: 'token',
    id: randomId(deps.random, 'txn'),
    agent: plan.agent.id,
    credentialIssuer: plan.issuer.credentialIssuer,
    authorizationServer: plan.server.issuer,
    configurationIds: plan.wanted.map(({ id }) => id),
    createdAt: now,
    deadline: now + TOKEN_STAGE_SECONDS,
    token,
  }
  await deps.pendings.commit([await deps.pendings.storing(pending), ...steps])
  try {
    const kept = await keepCredentials({ ...facts, pending, algorithms: deps.options.algorithms }, deps)
    return replyTo(kept, plan)
  } catch (error) {
    if (isOutage(error)) return { outcome: 'pending', transaction: pending.id, nextPollAt: nextTurn(pending) }
    if (error instanceof VerificationError) await deps.pendings.commit([deps.pendings.removing(pending)])
    throw error
  }
}

/** Says how far the credentials got. */
export function replyTo(kept: readonly KeptCredential[], plan: IssuancePlan): ReceiveReply {
  const deferred = kept.find((one) => one.kind === 'deferred')
  if (deferred?.kind === 'deferred') {
    return { outcome: 'pending', transaction: deferred.pending.id, nextPollAt: deferred.pending.nextPollAt }
  }
  const credentials = kept.flatMap((one) => (one.kind === 'stored' ? one.held.id : []))
  const vct = [...new Set(plan.wanted.map(({ configuration }) => configuration.vct))].join(' ')
  return { outcome: 'stored', credentials, vct, issuer: plan.issuer.credentialIssuer }
}
