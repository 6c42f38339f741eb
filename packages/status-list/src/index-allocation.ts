/**
 * Allocation: which index of which list a new credential gets.
 *
 * An index is drawn at random from a list of fixed size, so that neither its place nor the size of the list
 * tells when a credential was issued or how many there are. It is given away by one `putIfAbsent`, made a part
 * of the issuer's own commit: two credentials can never have one index, not over processes, not over restarts.
 *
 * A list counts as full when 64 draws in a row meet an index that is taken (a list of a million is then about
 * six sevenths full); no counter is kept, because every issuance would have to wait for it.
 *
 * Source: Token Status List -20, sections 12.4, 12.5, 13.2 and 13.3.
 *
 * @module
 */
import { type NumericDate, type Random, randomId, type Store, type StoreStep } from '@attache/core'
import {
  INDEX_TAKEN,
  type ListKeys,
  type ListRecord,
  listRecordToJson,
  openListToJson,
  parseListRecord,
  parseOpenList,
} from './list-record.js'
import { type StatusBits, statusListBytes } from './status-list.js'
import type { StatusReference } from './status-reference.js'

/** How new lists are made. */
export interface NewLists {
  /** Where lists lie: `<base>/<id>`. */
  readonly base: string
  readonly bits: StatusBits
  /** Entries, before rounding up to whole bytes. */
  readonly size: number
  /** Lists of one expiry month that are filled at the same time. */
  readonly openLists: number
}

/** What allocation needs. */
export interface AllocationDeps {
  readonly store: Pick<Store, 'get' | 'commit'>
  readonly keys: ListKeys
  readonly random: Random
}

/** Indices that are free as far as anybody knows, and the steps that take them. */
export interface IndexProposal {
  /** One per credential, for {@link statusClaim}. */
  readonly references: readonly StatusReference[]
  /** To be part of one commit; when that fails, propose anew. */
  readonly steps: readonly StoreStep[]
}

const DRAWS_BEFORE_FULL = 64
const MAX_ATTEMPTS = 32
const RETIREMENT_SECONDS = 31 * 86_400

/** Proposes an index for each of `count` credentials that expire at `expiresAt`; spread over the open lists. */
export async function proposeIndices(
  wanted: { readonly expiresAt: NumericDate; readonly count: number },
  lists: NewLists,
  deps: AllocationDeps,
): Promise<IndexProposal> {
  const month = monthOf(wanted.expiresAt)
  const firstSlot = drawIndex(deps.random, lists.openLists)
  const chosen = new Map<string, { readonly reference: StatusReference; readonly step: StoreStep }>()

  for (let nth = 0; nth < wanted.count; nth += 1) {
    const slot = { month, slot: (firstSlot + nth) % lists.openLists }
    const { record, index } = await drawFree(slot, lists, { deps, taken: chosen })
    const key = deps.keys.index(record.id, index)
    chosen.set(key, {
      reference: { idx: index, uri: record.uri },
      step: { op: 'putIfAbsent', key, value: INDEX_TAKEN, expiresAt: record.retiresAt },
    })
  }
  const found = [...chosen.values()]
  return { references: found.map(({ reference }) => reference), steps: found.map(({ step }) => step) }
}

interface Slot {
  readonly month: string
  readonly slot: number
}

async function drawFree(
  slot: Slot,
  lists: NewLists,
  { deps, taken }: { deps: AllocationDeps; taken: ReadonlyMap<string, unknown> },
): Promise<{ readonly record: ListRecord; readonly index: number }> {
  let full: string | undefined
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const record = await openList(slot, lists, { deps, full })
    if (record === undefined) continue

    for (let draw = 0; draw < DRAWS_BEFORE_FULL; draw += 1) {
      const index = drawIndex(deps.random, record.size)
      const key = deps.keys.index(record.id, index)
      if (!taken.has(key) && (await deps.store.get(key)) === undefined) return { record, index }
    }
    full = record.id
  }
  throw new Error('No free Status List index was found.')
}

// `undefined` when another process opened a list at the same moment: look again.
async function openList(
  { month, slot }: Slot,
  lists: NewLists,
  { deps, full }: { deps: AllocationDeps; full: string | undefined },
): Promise<ListRecord | undefined> {
  const { store, keys } = deps
  const pointerKey = keys.open(month, slot)
  const pointer = await store.get(pointerKey)
  const open = pointer === undefined ? undefined : parseOpenList(pointer.value)
  if (open !== undefined && open !== full) {
    const stored = await store.get(keys.list(open))
    if (stored !== undefined) return parseListRecord(stored.value)
  }

  const record = newRecord(month, lists, deps.random)
  const expiresAt = record.retiresAt
  const value = openListToJson(record.id)
  const done = await store.commit([
    { op: 'putIfAbsent', key: keys.list(record.id), value: listRecordToJson(record), expiresAt },
    pointer === undefined
      ? { op: 'putIfAbsent', key: pointerKey, value, expiresAt }
      : { op: 'replace', key: pointerKey, version: pointer.version, value, expiresAt },
  ])
  return done ? record : undefined
}

function newRecord(month: string, lists: NewLists, random: Random): ListRecord {
  const { base, bits, size } = lists
  const id = randomId(random, 'lst')
  const entries = (statusListBytes(size, bits) * 8) / bits
  return { id, uri: `${base}/${id}`, bits, size: entries, month, retiresAt: retiresAt(month), revision: 0 }
}

const monthOf = (time: NumericDate): string => new Date(time * 1000).toISOString().slice(0, 7)

function retiresAt(month: string): NumericDate {
  const end = new Date(`${month}-01T00:00:00Z`)
  end.setUTCMonth(end.getUTCMonth() + 1)
  return end.getTime() / 1000 + RETIREMENT_SECONDS
}

/** Draws one of `size` numbers, each as likely as the other. */
export function drawIndex(random: Random, size: number): number {
  const bound = 2 ** 32 - (2 ** 32 % size)
  for (;;) {
    const drawn = Buffer.from(random(4)).readUInt32LE()
    // What is left over at the top would favour the low numbers.
    if (drawn < bound) return drawn % size
  }
}
