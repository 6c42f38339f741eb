/**
 * What a wallet does on its own: go on with interrupted issuances, renew, look at its own statuses.
 *
 * Owns one round, called again and again by the host. A failure of one item is noted with a back-off and never
 * keeps the others from their turn.
 *
 * Source: requirements/wallet-issuance.md, sections 9 and 11; threat model, row 19.
 *
 * @module
 */
import { type NumericDate, ProtocolError, type Telemetry, VerificationError } from '@attache/core'
import { isDue, resumeIssuance } from './deferred-issuance.js'
import type { Decision, Explanations } from './explanations.js'
import type { CredentialCard } from './held-credential.js'
import type { KillSwitch } from './kill-switch.js'
import type { WalletAgent } from './options.js'
import { type OverviewDeps, refreshOverview } from './overview.js'
import type { PendingIssuance } from './pending-issuance.js'
import type { ReceiveDeps } from './redeem-token.js'
import { backoffSeconds, isLow, renewalTime, renewCredential } from './renew-credential.js'
import { type Holding, reportHoldings } from './report-holdings.js'

/** What a round needs. */
export interface MaintainDeps extends ReceiveDeps, OverviewDeps {
  readonly explanations: Explanations
  readonly killSwitch: KillSwitch
  readonly backoff: Backoff
  readonly telemetry: Telemetry
}

/** Which items failed, how often, and when their turn comes again. */
export interface Backoff {
  mayTry(id: string, now: NumericDate): boolean
  failed(id: string, now: NumericDate): void
  succeeded(id: string): void
}

/** Creates an empty back-off table; after a restart everything may be tried at once. */
export function createBackoff(): Backoff {
  const failing = new Map<string, { failures: number; retryAt: NumericDate }>()
  return {
    mayTry: (id, now) => (failing.get(id)?.retryAt ?? now) <= now,
    failed(id, now) {
      const failures = (failing.get(id)?.failures ?? 0) + 1
      failing.set(id, { failures, retryAt: now + backoffSeconds(failures, id) })
    },
    succeeded: (id) => {
      failing.delete(id)
    },
  }
}

/**
 * One round for all agents. Where one agent's records cannot be read, its round ends there, and the others have
 * theirs.
 */
export async function maintain(agents: readonly WalletAgent[], deps: MaintainDeps): Promise<void> {
  for (const agent of agents) {
    try {
      await maintainAgent({ agent, now: deps.clock() }, deps)
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error
      deps.log.error('wallet.agent_unreadable', { agent: agent.id, code: error.code })
    }
  }
}

// A stopped agent is left as it is.
async function maintainAgent(
  facts: { readonly agent: WalletAgent; readonly now: NumericDate },
  deps: MaintainDeps,
): Promise<void> {
  const { agent, now } = facts
  if (await deps.killSwitch.isStopped(agent.id)) return
  for (const pending of await deps.pendings.list(agent.id)) {
    if (pending.stage === 'authorization' || !isDue(pending, now)) continue
    if (deps.pendings.isAtWork(pending.id)) continue
    await attempt(
      { ...facts, id: pending.id, event: 'receive' },
      async () => (await resumeIssuance({ agent, pending, now }, deps)).kind === 'stored',
      deps,
    )
  }
  const underWay = await deps.pendings.list(agent.id)
  const holdings: Holding[] = []
  for (const card of await deps.held.cards(agent.id)) {
    const holding = await lookUp({ agent, card, now }, deps)
    holdings.push(holding)
    if (!holding.isRenewalDue || underWay.some((pending) => bringsNew(pending, card))) continue
    const renew = async () => {
      const held = await deps.held.open(agent.id, card.id)
      // Where it is gone, another one took its place meanwhile.
      if (held === undefined) return true
      return (await renewCredential({ agent, held, now }, deps)).outcome === 'stored'
    }
    await attempt({ ...facts, id: card.id, event: 'renew' }, renew, deps)
  }
  await refreshOverview({ agent: agent.id, now }, deps)
  reportHoldings({ agent: agent.id, holdings, pending: underWay.length, now }, deps)
}

// A renewal that waits for its issuer is not started again.
function bringsNew(pending: PendingIssuance, card: CredentialCard): boolean {
  return (
    pending.stage !== 'authorization' &&
    pending.credentialIssuer === card.credentialIssuer &&
    pending.configurationIds.includes(card.configurationId)
  )
}

async function lookUp(
  {
    agent,
    card,
    now,
  }: { readonly agent: WalletAgent; readonly card: CredentialCard; readonly now: NumericDate },
  deps: MaintainDeps,
): Promise<Holding> {
  const copiesLeft = await deps.held.copiesLeft(agent.id, card)
  const time = renewalTime(card)
  const isRenewalDue =
    card.state !== 'revoked' && ((time !== undefined && time <= now) || isLow(card, copiesLeft))
  return { card, copiesLeft, isRenewalDue }
}

async function attempt(
  facts: {
    readonly agent: WalletAgent
    readonly now: NumericDate
    readonly id: string
    readonly event: 'receive' | 'renew'
  },
  work: () => Promise<boolean>,
  deps: MaintainDeps,
): Promise<void> {
  const { agent, now, id, event } = facts
  if (!deps.backoff.mayTry(id, now)) return
  const ended = await deps.telemetry.operation(`wallet.${event}_alone`, { agent: agent.id }, async (note) => {
    const settled = await settle(work)
    const { outcome, code } = settled
    note(outcome === 'granted' ? { outcome: code } : { outcome, code })
    return settled
  })
  if (ended.outcome === 'granted') deps.backoff.succeeded(id)
  else deps.backoff.failed(id, now)
  await deps.explanations.record({ agent: agent.id, event, ...ended, facts: { item: id } }, now)
}

/** What an attempt ended with; a fault is no end and goes on its way. */
async function settle(work: () => Promise<boolean>): Promise<Pick<Decision, 'outcome' | 'code' | 'message'>> {
  try {
    if (await work()) return { outcome: 'granted', code: 'done', message: 'Done without a person.' }
    return { outcome: 'granted', code: 'pending', message: 'The issuer is asked again later.' }
  } catch (error) {
    if (!(error instanceof VerificationError) && !(error instanceof ProtocolError)) throw error
    return { outcome: 'refused', code: error.code, message: error.message }
  }
}
