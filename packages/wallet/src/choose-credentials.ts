/**
 * Choosing credentials for a query: types first, then as few records as it takes.
 *
 * Owns which records are opened. A query names types; only credentials of those are opened, in the order in which
 * they are offered, and no further than to the first one that answers. A query by claim values that none of the
 * candidates has opens all candidates.
 *
 * Source: OpenID4VP 1.0, section 6.4.
 *
 * @module
 */
import type { NumericDate } from '@attache/core'
import {
  type CredentialQuery,
  type DcqlCredential,
  type DcqlQuery,
  type DcqlSelection,
  matchDcqlQuery,
} from '@attache/openid4vp'
import { type CredentialCard, cardOf, type HeldCredential, isUsable } from './held-credential.js'
import type { HeldView } from './held-credentials.js'
import { type LookDeps, lookAtStatus } from './look-at-status.js'

/** A credential chosen for one credential query. */
export interface Chosen {
  readonly selection: DcqlSelection
  readonly held: HeldCredential
}

/** What choosing needs. */
export type ChooseDeps = LookDeps

interface ChooseFacts {
  readonly agent: string
  readonly now: NumericDate
}

/** Chooses until every chosen credential is known to be good; one that is not is passed over. */
export async function choose(
  facts: ChooseFacts,
  query: DcqlQuery,
  deps: ChooseDeps,
): Promise<readonly Chosen[] | undefined> {
  const view = await deps.held.view(facts.agent)
  const cards = view.cards.filter((card) => isUsable(card, facts.now))
  const opened = createOpened(view)
  const bad = new Set<string>()
  for (;;) {
    const candidates = await candidatesOf(query, { cards: cards.filter(({ id }) => !bad.has(id)), opened })
    const match = matchDcqlQuery(query, candidates.map(asDcqlCredential))
    if (!match.satisfied) return undefined
    const byId = new Map(candidates.map((held) => [held.id, held]))
    const chosen = match.selections.flatMap((selection) => {
      const held = byId.get(selection.credentialId)
      return held === undefined ? [] : [{ selection, held }]
    })
    const before = bad.size
    for (const { held } of chosen) {
      if (!(await isGood(facts, held, deps))) bad.add(held.id)
    }
    if (bad.size === before) return chosen
  }
}

/** Opens a credential once for one question; one that is gone, or ended meanwhile, is none. */
type Opened = (card: CredentialCard) => Promise<HeldCredential | undefined>

function createOpened(view: HeldView): Opened {
  const opened = new Map<string, HeldCredential | undefined>()
  return async ({ id }) => {
    if (!opened.has(id)) opened.set(id, await view.open(id))
    return opened.get(id)
  }
}

interface Choice {
  readonly cards: readonly CredentialCard[]
  readonly opened: Opened
}

/** The first answer to each credential query, in order of preference: matching these is matching all. */
async function candidatesOf(query: DcqlQuery, choice: Choice): Promise<readonly HeldCredential[]> {
  const found = new Map<string, HeldCredential>()
  for (const credential of query.credentials) {
    const first = await firstAnswer(credential, choice)
    if (first !== undefined) found.set(first.id, first)
  }
  return choice.cards.flatMap(({ id }) => found.get(id) ?? [])
}

async function firstAnswer(
  query: CredentialQuery,
  { cards, opened }: Choice,
): Promise<HeldCredential | undefined> {
  const alone = { credentials: [query] }
  for (const vct of new Set(query.vctValues)) {
    for (const card of cards) {
      if (card.vct !== vct) continue
      const held = await opened(card)
      if (held !== undefined && matchDcqlQuery(alone, [asDcqlCredential(held)]).satisfied) return held
    }
  }
  return undefined
}

// A verifier would refuse a revoked credential; showing it first would only tell who still carries it.
async function isGood(facts: ChooseFacts, held: HeldCredential, deps: ChooseDeps): Promise<boolean> {
  if ((await deps.held.copiesLeft(facts.agent, cardOf(held))) === 0) return false
  const state = await lookAtStatus(facts, held, deps)
  // Where the list cannot be had, the verifier decides: it asks the same list, and its word counts. A suspension
  // lasts until the list says that it has ended.
  return state === 'active' || (state === 'unreachable' && held.state !== 'suspended')
}

function asDcqlCredential(held: HeldCredential): DcqlCredential {
  return {
    id: held.id,
    format: 'dc+sd-jwt',
    vct: held.vct,
    claims: held.copies[0]?.claims ?? {},
    holderBound: held.copies[0]?.keyRef !== undefined,
    authorityKeyIds: held.authorityKeyIds,
  }
}
