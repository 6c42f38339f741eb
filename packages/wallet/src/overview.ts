/**
 * What the operator sees of an agent: states, times, names; never a claim.
 *
 * Owns which words stand for a state. A status is as of the last look; where nobody has looked, the view says so by
 * having no time.
 *
 * @module
 */
import type { CredentialStatus } from '@attache/agent'
import type { NumericDate } from '@attache/core'
import type { TypeReference } from '@attache/sd-jwt'
import type { CredentialCard } from './held-credential.js'
import type { HeldCredentials } from './held-credentials.js'
import type { KillSwitch } from './kill-switch.js'
import { type LookFacts, lookAround } from './look-at-status.js'
import type { OwnStatus } from './own-status.js'
import type { PendingIssuances } from './pending-issuance.js'
import { renewalTime } from './renew-credential.js'
import { chosenName, type TypeNames } from './type-names.js'

/** One agent's wallet, as the operator sees it. */
export interface AgentOverview {
  readonly agent: string
  readonly stopped: boolean
  readonly credentials: readonly CredentialStatus[]
  /** Issuances under way. */
  readonly pending: number
}

/** What the view needs. */
export interface OverviewDeps {
  readonly held: HeldCredentials
  readonly status: OwnStatus
  readonly pendings: PendingIssuances
  readonly killSwitch: KillSwitch
  readonly typeNames: TypeNames
}

const LANGUAGES: readonly string[] = ['en']

/**
 * Reads the view; asks nobody.
 *
 * @param languages Language tags for names of types, most wanted first. @default English
 */
export async function overviewOf(
  { agent, now }: LookFacts,
  deps: OverviewDeps,
  languages: readonly string[] = LANGUAGES,
): Promise<AgentOverview> {
  const cards = await deps.held.cards(agent)
  const credentials = await Promise.all(
    cards.map(async (card): Promise<CredentialStatus> => {
      const renewAt = renewalTime(card)
      const lookedAt = deps.held.lookedAt(card)
      const name = deps.typeNames.nameOf(typeOf(card), languages) ?? chosenName(card.names, languages)
      return {
        id: card.id,
        vct: card.vct,
        ...(name === undefined ? {} : { name }),
        issuer: card.credentialIssuer,
        state: shownState(card, now),
        hasStatusList: card.hasStatus,
        ...(lookedAt === undefined ? {} : { lookedAt }),
        copiesLeft: await deps.held.copiesLeft(agent, card),
        ...(card.expiresAt === undefined ? {} : { expiresAt: card.expiresAt }),
        ...(renewAt === undefined ? {} : { renewAt }),
      }
    }),
  )
  const pending = (await deps.pendings.list(agent)).length
  return { agent, stopped: await deps.killSwitch.isStopped(agent), credentials, pending }
}

/**
 * Brings the view up to date: statuses, and the names of types.
 *
 * @param olderThanSeconds How old a look may be; 0 looks at everything now. @default 900
 */
export async function refreshOverview(
  facts: LookFacts,
  deps: OverviewDeps,
  olderThanSeconds?: number,
): Promise<void> {
  await lookAround(facts, deps, olderThanSeconds)
  for (const card of await deps.held.cards(facts.agent)) await deps.typeNames.learn(typeOf(card), facts.now)
}

function typeOf({ vct, vctIntegrity }: CredentialCard): TypeReference {
  return { vct, ...(vctIntegrity === undefined ? {} : { integrity: vctIntegrity }) }
}

/** The word for a credential's state, as of the last look. */
export function shownState(
  { state, expiresAt }: CredentialCard,
  now: NumericDate,
): CredentialStatus['state'] {
  if (expiresAt !== undefined && expiresAt <= now) return 'expired'
  // Verified when it came, and its status list was never reached: good until somebody says otherwise.
  return state === 'unverified' ? 'active' : state
}
