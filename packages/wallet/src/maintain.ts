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
import { type NumericDate, ProtocolError, VerificationError } from '@attache/core'
import { isDue, resumeIssuance } from './deferred-issuance.js'
import type { Explanations } from './explanations.js'
import type { CredentialCard } from './held-credential.js'
import type { KillSwitch } from './kill-switch.js'
import type { WalletAgent } from './options.js'
import { type OverviewDeps, refreshOverview } from './overview.js'
import type { PendingIssuance } from './pending-issuance.js'
import type { ReceiveDeps } from './redeem-token.js'
import { backoffSeconds, isLow, renewalTime, renewCredential } from './renew-credential.js'

/** What a round needs. */
export interface MaintainDeps extends ReceiveDeps, OverviewDeps {
  readonly explanations: Explanations
  readonly killSwitch: KillSwitch
  readonly backoff: Backoff
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

/** One round for one agent. A stopped agent is left as it is. */
export async function maintainAgent(
  facts: { readonly agent: WalletAgent; readonly now: NumericDate },
  deps: MaintainDeps,
): Promise<void> {
  const { agent, now } = facts
  if (await deps.killSwitch.isStopped(agent.id)) return
  for (const pending of await deps.pendings.list(agent.id)) {
    if (pending.stage === 'authorization' || !isDue(pending, now)) continue
    await attempt(
      { ...facts, id: pending.id, event: 'receive' },
      async () => (await resumeIssuance({ agent, pending, now }, deps)).kind === 'stored',
      deps,
    )
  }
  const underWay = await deps.pendings.list(agent.id)
  for (const card of await deps.held.cards(agent.id)) {
    if (underWay.some((pending) => bringsNew(pending, card))) continue
    if (!(await isToBeRenewed({ agent, card, now }, deps))) continue
    const renew = async () => {
      const held = await deps.held.open(agent.id, card.id)
      // Where it is gone, another one took its place meanwhile.
      if (held === undefined) return true
      return (await renewCredential({ agent, held, now }, deps)).outcome === 'stored'
    }
    await attempt({ ...facts, id: card.id, event: 'renew' }, renew, deps)
  }
  await refreshOverview({ agent: agent.id, now }, deps)
}

// A renewal that waits for its issuer is not started again.
function bringsNew(pending: PendingIssuance, card: CredentialCard): boolean {
  return (
    pending.stage !== 'authorization' &&
    pending.credentialIssuer === card.credentialIssuer &&
    pending.configurationIds.includes(card.configurationId)
  )
}

async function isToBeRenewed(
  {
    agent,
    card,
    now,
  }: { readonly agent: WalletAgent; readonly card: CredentialCard; readonly now: NumericDate },
  deps: MaintainDeps,
): Promise<boolean> {
  if (card.state === 'revoked') return false
  const time = renewalTime(card)
  if (time !== undefined && time <= now) return true
  return isLow(card, await deps.held.copiesLeft(agent.id, card))
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
  try {
    const isDone = await work()
    deps.backoff.succeeded(id)
    const code = isDone ? 'done' : 'pending'
    const message = isDone ? 'Done without a person.' : 'The issuer is asked again later.'
    await deps.explanations.record(
      { agent: agent.id, event, outcome: 'granted', code, message, facts: { item: id } },
      now,
    )
  } catch (error) {
    if (!(error instanceof VerificationError) && !(error instanceof ProtocolError)) throw error
    deps.backoff.failed(id, now)
    const { code, message } = error
    await deps.explanations.record(
      { agent: agent.id, event, outcome: 'refused', code, message, facts: { item: id } },
      now,
    )
  }
}
