/**
 * What an agent holds, in numbers: reported once a round.
 *
 * @module
 */
import type { NumericDate, Telemetry } from '@attache/core'
import type { CredentialCard } from './held-credential.js'
import { shownState } from './overview.js'

/** A credential at the time of a round. */
export interface Holding {
  readonly card: CredentialCard
  readonly copiesLeft: number
  readonly isRenewalDue: boolean
}

const STATES = ['active', 'suspended', 'revoked', 'expired'] as const

/** Reports credentials by state, copies left, renewals due and issuances under way. */
export function reportHoldings(
  facts: {
    readonly agent: string
    readonly holdings: readonly Holding[]
    readonly pending: number
    readonly now: NumericDate
  },
  { telemetry }: { readonly telemetry: Telemetry },
): void {
  const { agent, holdings, now } = facts
  for (const state of STATES) {
    const held = holdings.filter(({ card }) => shownState(card, now) === state)
    telemetry.gauge('wallet.credentials', { agent, state }, held.length)
  }
  const copies = holdings.reduce((sum, { copiesLeft }) => sum + copiesLeft, 0)
  telemetry.gauge('wallet.copies_left', { agent }, copies)
  telemetry.gauge('wallet.renewals_due', { agent }, holdings.filter((one) => one.isRenewalDue).length)
  telemetry.gauge('wallet.pending_issuances', { agent }, facts.pending)
}
