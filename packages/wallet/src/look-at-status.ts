/**
 * Looking at the status of a credential that an agent holds, and writing down what was seen.
 *
 * Owns when it is looked at: before it is shown, at the operator's wish, and now and then by the wallet itself, so
 * that what the operator reads is no older than the state of the world when somebody last used the credential.
 * A list that cannot be had changes nothing: the last word and its time stay. A list is kept as long as its own `ttl`
 * says, so a look is no fresher than that.
 *
 * Source: Token Status List -20, section 8.3; SD-JWT VC, section 2.4.
 *
 * @module
 */
import type { NumericDate } from '@attache/core'
import type { CredentialCard, HeldCredential } from './held-credential.js'
import type { HeldCredentials } from './held-credentials.js'
import type { KnownState, OwnStatus } from './own-status.js'

/** What looking needs. */
export interface LookDeps {
  readonly held: HeldCredentials
  readonly status: OwnStatus
}

/** Whose credential is looked at, and when. */
export interface LookFacts {
  readonly agent: string
  readonly now: NumericDate
}

/** How old the last look may be before the wallet looks by itself, in seconds. */
const LOOK_AGAIN_SECONDS = 900

/** Asks for the status of a credential and notes the answer. */
export async function lookAtStatus(
  facts: LookFacts,
  held: HeldCredential,
  deps: LookDeps,
): Promise<KnownState> {
  const state = await deps.status.stateOf(held, facts.now)
  const isListed = held.copies.some(({ status }) => status !== undefined)
  if (isListed && state !== 'unreachable')
    await deps.held.noteLook(facts.agent, held, { state, at: facts.now })
  return state
}

/**
 * Looks at every credential of an agent whose last look is too long ago.
 *
 * @param olderThanSeconds 0 looks at all of them. @default 900
 */
export async function lookAround(
  facts: LookFacts,
  deps: LookDeps,
  olderThanSeconds: number = LOOK_AGAIN_SECONDS,
): Promise<void> {
  const { agent, now } = facts
  for (const card of await deps.held.cards(agent)) {
    if (!isWorthALook(card, now)) continue
    const lookedAt = deps.held.lookedAt(card)
    if (lookedAt !== undefined && now - lookedAt < olderThanSeconds) continue
    const held = await deps.held.open(agent, card.id)
    if (held !== undefined) await lookAtStatus(facts, held, deps)
  }
}

// What has ended or is revoked stays so.
function isWorthALook({ hasStatus, state, expiresAt }: CredentialCard, now: NumericDate): boolean {
  return hasStatus && state !== 'revoked' && (expiresAt === undefined || expiresAt > now)
}
