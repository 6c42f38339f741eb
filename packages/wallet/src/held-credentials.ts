/**
 * What an agent holds: choosing among its credentials, taking a copy for one presentation, noting a status.
 *
 * Owns that a copy for one use is spent durably before anything is made of it, so that neither a crash nor a
 * second caller can show it twice; and the cards of an agent's credentials, kept in memory so that a question does
 * not open every sealed record. A card holds no claim and no token, and lasts as long as the ledger says that
 * nothing changed; what is shown or renewed is opened anew each time. The first question after a start opens
 * every record of that agent once.
 *
 * Source: OpenID4VP 1.0, section 15.5; threat model, rows 13, 21 and 28.
 *
 * @module
 */
import type { NumericDate, StoreStep } from '@attache/core'
import {
  byPreference,
  type CredentialCard,
  type CredentialCopy,
  cardOf,
  type HeldCredential,
  parseHeldCredential,
  writeHeldCredential,
} from './held-credential.js'
import type { Ledger, LedgerPage } from './ledger.js'
import type { Vault } from './vault.js'

/** The credentials of all agents. */
export interface HeldCredentials {
  /** In order of preference, usable or not. */
  cards(agent: string): Promise<readonly CredentialCard[]>
  /** What an agent holds, for one question. */
  view(agent: string): Promise<HeldView>
  /**
   * Opens one, as it is now; `undefined` when it is gone.
   *
   * @throws {VerificationError} `record_rolled_back`, `record_unreadable`, `record_version_unknown`
   */
  open(agent: string, id: string): Promise<HeldCredential | undefined>
  /** Stores a credential, removes others and does further steps: one commit, durable when resolved. */
  keep(agent: string, held: HeldCredential, options: KeepOptions): Promise<void>
  /** Alters a credential as it is now; one that is gone stays gone. */
  alter(
    agent: string,
    id: string,
    change: (held: HeldCredential) => HeldCredential | undefined,
  ): Promise<void>
  /** Takes a copy for one presentation; `undefined` when every copy is spent. Durable when resolved. */
  takeCopy(agent: string, held: HeldCredential): Promise<CredentialCopy | undefined>
  /** How many copies can still be taken; for a credential that may be reused, all of them. */
  copiesLeft(agent: string, held: Pick<CredentialCard, 'use' | 'copyIds'>): Promise<number>
  /** Notes what the status list said; a change by somebody else meanwhile wins. */
  noteLook(agent: string, held: HeldCredential, look: Look): Promise<void>
  /** When the status list was last asked with success; durable to within an hour. */
  lookedAt(card: Pick<CredentialCard, 'id' | 'lookedAt'>): NumericDate | undefined
}

/** What an agent holds at the time of a question, in order of preference, usable or not. */
export interface HeldView {
  readonly cards: readonly CredentialCard[]
  /** As {@link HeldCredentials.open}. */
  open(id: string): Promise<HeldCredential | undefined>
}

/** What goes with a new credential. */
export interface KeepOptions {
  /** Ids of credentials that give way. */
  readonly removing: readonly string[]
  /** Steps in the same commit. */
  readonly steps: readonly StoreStep[]
}

/** What a status list said, and when. */
export interface Look {
  readonly state: HeldCredential['state']
  readonly at: NumericDate
}

/** How much longer than a credential the spent marks of its copies are kept, in seconds. */
const MARKS_KEPT_SECONDS = 86_400
/** A look that says what the last one said is written down no more often than this, in seconds. */
const LOOK_NOTED_SECONDS = 3_600
/** Cards in memory, of all agents: some 10 MiB. What was asked for longest ago goes first. */
const MOST_CARDS = 20_000

/** Makes the access to held credentials. */
export function createHeldCredentials(deps: {
  readonly vault: Vault
  readonly ledger: Ledger
}): HeldCredentials {
  const { vault, ledger } = deps
  const shelves = createShelves(ledger)
  const looks = new Map<string, NumericDate>()
  const open = async (agent: string, id: string, at?: LedgerPage) => {
    const content = (await ledger.open({ agent, kind: 'credential', ids: [id] }, at)).contents.get(id)
    return content === undefined ? undefined : parseHeldCredential(content)
  }
  const writing = (held: HeldCredential) =>
    ({ kind: 'credential', id: held.id, content: writeHeldCredential(held) }) as const
  const alter: HeldCredentials['alter'] = async (agent, id, change) => {
    await ledger.change(agent, async () => {
      const current = await open(agent, id)
      const changed = current && change(current)
      return changed && { write: [writing(changed)] }
    })
  }
  const expiry = (held: HeldCredential): NumericDate | undefined =>
    held.expiresAt === undefined ? undefined : held.expiresAt + MARKS_KEPT_SECONDS
  return {
    cards: async (agent) => (await shelves.shelf(agent)).cards,
    async view(agent) {
      const { cards, page } = await shelves.shelf(agent)
      return { cards, open: (id) => open(agent, id, page) }
    },
    open: (agent, id) => open(agent, id),
    alter,
    async keep(agent, held, { removing, steps }) {
      const remove = removing.map((id) => ({ kind: 'credential', id }) as const)
      await ledger.change(agent, async () => ({ write: [writing(held)], remove, steps }))
    },
    async takeCopy(agent, held) {
      for (const copy of held.copies) {
        if (await vault.spend(agent, copy.id, expiry(held))) return copy
      }
      return held.use === 'reuse' ? held.copies[0] : undefined
    },
    async copiesLeft(agent, { use, copyIds }) {
      if (use === 'reuse') return copyIds.length
      const spent = await Promise.all(copyIds.map((id) => vault.isSpent(agent, id)))
      return spent.filter((isSpent) => !isSpent).length
    },
    async noteLook(agent, held, { state, at }) {
      if (looks.size >= MOST_CARDS) looks.clear()
      looks.set(held.id, at)
      const { lookedAt } = held
      const known = lookedAt !== undefined && at - lookedAt < LOOK_NOTED_SECONDS
      if (held.state === state && known) return
      await alter(agent, held.id, (current) =>
        current.state === held.state ? { ...current, state, lookedAt: at } : undefined,
      )
    },
    lookedAt: ({ id, lookedAt }) => looks.get(id) ?? lookedAt,
  }
}

/** The cards of one agent, and the page of the ledger they were made at. */
interface Shelf {
  readonly page: LedgerPage
  readonly byId: ReadonlyMap<string, CredentialCard>
  readonly cards: readonly CredentialCard[]
}

function createShelves(ledger: Ledger) {
  const shelves = new Map<string, Shelf>()

  /** Cards at a page: those whose record is as it was stay, the others are made anew. */
  async function fill(agent: string, page: LedgerPage, known: Shelf | undefined): Promise<Shelf> {
    const counts = page.counts('credential')
    const before = known?.page.counts('credential')
    const changed = [...counts.keys()].filter((id) => before?.get(id) !== counts.get(id))
    const opened = await ledger.open({ agent, kind: 'credential', ids: changed })
    if (opened.page !== page) return fill(agent, opened.page, known)
    const byId = new Map<string, CredentialCard>()
    for (const id of counts.keys()) {
      const content = opened.contents.get(id)
      const card = content === undefined ? known?.byId.get(id) : cardOf(parseHeldCredential(content))
      if (card !== undefined) byId.set(id, card)
    }
    return { page, byId, cards: [...byId.values()].sort(byPreference) }
  }

  function keep(agent: string, shelf: Shelf): void {
    // The one asked for last is last: the map is in order of use.
    shelves.delete(agent)
    shelves.set(agent, shelf)
    let cards = [...shelves.values()].reduce((sum, { byId }) => sum + byId.size, 0)
    for (const [oldest, { byId }] of shelves) {
      if (cards <= MOST_CARDS || oldest === agent) return
      shelves.delete(oldest)
      cards -= byId.size
    }
  }

  return {
    async shelf(agent: string): Promise<Shelf> {
      const page = await ledger.page(agent)
      const known = shelves.get(agent)
      const shelf = known?.page === page ? known : await fill(agent, page, known)
      keep(agent, shelf)
      return shelf
    },
  }
}
