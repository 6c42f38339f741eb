/**
 * The ledger of one agent: which of its records count, and in which edition.
 *
 * Owns that a record of these kinds is written, replaced and removed in one commit with the ledger, each time
 * under a count that never comes again; and that a record with another count than the ledger's, or one the ledger
 * does not name, is not taken for the current one: an older credential, or a kill switch from before it was
 * pulled, put back into the store does not open any more. The ledger's own version says whether anything changed,
 * so that what was read may be remembered.
 *
 * What it cannot tell: a store that was put back **whole**, ledger and records of one moment, while the wallet was
 * not running. That takes a memory outside the store. A running wallet notices that too, by the count it has
 * seen. Spent marks stand beside the ledger: removing one is not noticed here. Records of the first release have
 * no count until they are written again.
 *
 * Source: threat model, rows 16 and 28.
 *
 * @module
 */
import {
  isJsonObject,
  type JsonObject,
  type JsonValue,
  type StoreStep,
  VerificationError,
} from '@attache/core'
import { createTurns } from './turns.js'
import type { Vault, VaultRecord, Where } from './vault.js'

/** Kinds of records that count only in their newest edition. */
export type LedgerKind = 'credential' | 'switch'

/** A record in a ledger. */
export interface LedgerPlace {
  readonly agent: string
  readonly kind: LedgerKind
  readonly id: string
}

/** Records of one kind. */
export interface LedgerPlaces extends Omit<LedgerPlace, 'id'> {
  readonly ids: readonly string[]
}

/** The ledger of one agent at one time; the same object as long as nothing changed. */
export interface LedgerPage {
  /** Store version; absent where an agent has nothing. */
  readonly version: string | undefined
  /** Counts of the records that count, by id. */
  counts(kind: LedgerKind): ReadonlyMap<string, number>
}

/** What is to become of an agent's records. */
export interface LedgerChange {
  readonly write?: readonly (Omit<LedgerPlace, 'agent'> & { readonly content: JsonValue })[]
  readonly remove?: readonly Omit<LedgerPlace, 'agent'>[]
  /** Steps of other kinds, without conditions, in the same commit. */
  readonly steps?: readonly StoreStep[]
}

/** The ledgers of all agents. */
export interface Ledger {
  page(agent: string): Promise<LedgerPage>
  /**
   * Opens records of one kind; ids that do not count any more are left out.
   *
   * @param at A page that was read for this very question; records that are as it says need no newer one.
   * @throws {VerificationError} `record_rolled_back`: one is not the edition that was written last.
   */
  open(places: LedgerPlaces, at?: LedgerPage): Promise<OpenedRecords>
  /**
   * Changes records in one commit, durable when resolved.
   *
   * @param decide Asked again when somebody else was faster; `undefined` leaves everything as it is.
   * @returns Whether anything was changed.
   */
  change(agent: string, decide: () => Promise<LedgerChange | undefined>): Promise<boolean>
}

/** Records as they were at one page. */
export interface OpenedRecords {
  readonly page: LedgerPage
  readonly contents: ReadonlyMap<string, JsonValue>
}

interface Page extends LedgerPage {
  readonly count: number
  readonly all: Readonly<Record<LedgerKind, ReadonlyMap<string, number>>>
}

const KINDS: readonly LedgerKind[] = ['credential', 'switch']
const EMPTY: Page = pageOf({
  version: undefined,
  count: 0,
  all: { credential: new Map(), switch: new Map() },
})
/** How often somebody else may be faster; in this process everybody waits for their turn. */
const MOST_ATTEMPTS = 20
/** Records opened at once. */
const BATCH = 50

/** Makes the ledgers; each is read when it is first asked for. */
export function createLedger(deps: { readonly vault: Vault }): Ledger {
  const { vault } = deps
  const pages = new Map<string, Page>()
  const inTurn = createTurns()

  async function page(agent: string): Promise<Page> {
    const known = pages.get(agent)
    if (known !== undefined && (await vault.versionOf(placeOf(agent))) === known.version) return known
    const record = (await vault.read(placeOf(agent))) ?? (await found(agent, vault))
    if (record === undefined && known === undefined) return EMPTY
    // Below what this process has seen, the ledger itself was put back.
    if (record === undefined || record.count < (known?.count ?? 0)) throw rolledBack()
    const read = readPage(record)
    pages.set(agent, read)
    return read
  }

  return {
    page,
    async open({ agent, kind, ids }, at) {
      let current = at ?? (await page(agent))
      for (let attempt = 1; ; attempt += 1) {
        const contents = await openAll({ agent, kind, ids, counts: current.counts(kind) }, vault)
        if (contents !== undefined) return { page: current, contents }
        // Somebody may have written in between; then the ledger has moved as well.
        const next = await page(agent)
        if (next.version === current.version || attempt === MOST_ATTEMPTS) throw rolledBack()
        current = next
      }
    },
    change: (agent, decide) =>
      inTurn(agent, async () => {
        for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt += 1) {
          const current = await page(agent)
          const change = await decide()
          if (change === undefined) return false
          if (await vault.commit(await stepsOf(agent, { current, change }, vault))) return true
        }
        throw new Error('The ledger of an agent kept changing.')
      }),
  }
}

const placeOf = (agent: string): Where => ({ agent, kind: 'ledger', id: 'current' })

/** Every record of `ids` that counts; `undefined` when one of them is not the edition that counts. */
async function openAll(
  facts: LedgerPlaces & { readonly counts: ReadonlyMap<string, number> },
  vault: Vault,
): Promise<ReadonlyMap<string, JsonValue> | undefined> {
  const { agent, kind, counts } = facts
  const contents = new Map<string, JsonValue>()
  for (let at = 0; at < facts.ids.length; at += BATCH) {
    const ids = facts.ids.slice(at, at + BATCH)
    const records = await Promise.all(ids.map((id) => vault.read({ agent, kind, id })))
    for (const [nth, id] of ids.entries()) {
      const record = records[nth]
      if (record?.count !== counts.get(id)) return undefined
      if (record !== undefined) contents.set(id, record.content)
    }
  }
  return contents
}

async function stepsOf(
  agent: string,
  { current, change }: { readonly current: Page; readonly change: LedgerChange },
  vault: Vault,
): Promise<readonly StoreStep[]> {
  const count = current.count + 1
  const next = { credential: new Map(current.all.credential), switch: new Map(current.all.switch) }
  const steps: StoreStep[] = [...(change.steps ?? [])]
  for (const { kind, id, content } of change.write ?? []) {
    next[kind].set(id, count)
    steps.push(await vault.writing({ agent, kind, id }, content, { count }))
  }
  for (const { kind, id } of change.remove ?? []) {
    next[kind].delete(id)
    steps.push(vault.removing({ agent, kind, id }))
  }
  const content = contentOf(next)
  const { version } = current
  const ledger =
    version === undefined
      ? await vault.creating(placeOf(agent), content, { count })
      : await vault.writing(placeOf(agent), content, { count, version })
  return [...steps, ledger]
}

/** The ledger of an agent that has records and no ledger: data of the first release, or a ledger that was lost. */
async function found(agent: string, vault: Vault): Promise<VaultRecord | undefined> {
  const all = { credential: new Map<string, number>(), switch: new Map<string, number>() }
  for (const kind of KINDS) {
    for (const { id, count } of await vault.list(agent, kind)) {
      // Counted records were never without a ledger.
      if (count > 0) throw rolledBack()
      all[kind].set(id, count)
    }
  }
  if (all.credential.size + all.switch.size === 0) return undefined
  // Of two that find this at once the first one writes it; both read that.
  await vault.commit([await vault.creating(placeOf(agent), contentOf(all), { count: 1 })])
  return vault.read(placeOf(agent))
}

function contentOf(all: Page['all']): JsonObject {
  return {
    v: 1,
    credential: Object.fromEntries(all.credential),
    switch: Object.fromEntries(all.switch),
  }
}

function readPage({ content, version, count }: VaultRecord): Page {
  const object = isJsonObject(content) ? content : {}
  if (object['v'] !== 1) {
    throw new VerificationError('record_version_unknown', 'A ledger was written by a later release.')
  }
  const all = { credential: countsOf(object['credential']), switch: countsOf(object['switch']) }
  return pageOf({ version, count, all })
}

function countsOf(value: JsonValue | undefined): ReadonlyMap<string, number> {
  const entries = Object.entries(value !== undefined && isJsonObject(value) ? value : {})
  return new Map(entries.flatMap(([id, count]) => (typeof count === 'number' ? [[id, count] as const] : [])))
}

function pageOf(page: Omit<Page, 'counts'>): Page {
  return { ...page, counts: (kind) => page.all[kind] }
}

function rolledBack(): VerificationError {
  return new VerificationError(
    'record_rolled_back',
    'A stored record is not the one that was written last. Restore the whole store, not single records.',
  )
}
