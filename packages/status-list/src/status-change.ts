/**
 * Changing statuses: the steps that revoke, suspend and reinstate.
 *
 * A change rewrites one chunk of the list and counts the list's revision up, so publishing knows that there is
 * something new without looking at any credential. The steps may be part of the caller's own commit.
 *
 * Source: Token Status List -20, sections 7.1 and 13.3.
 *
 * @module
 */
import { type Store, type StoredValue, type StoreStep, VerificationError } from '@attache/core'
import {
  CHUNK_BYTES,
  chunkToJson,
  isListId,
  type ListKeys,
  type ListRecord,
  listRecordToJson,
  parseChunk,
  parseListRecord,
} from './list-record.js'
import { type StatusList, statusAt, statusListBytes, writeStatus } from './status-list.js'
import type { StatusReference } from './status-reference.js'
import { requireTransition } from './status-value.js'

/** One change: the credential at this reference gets this status. */
export interface StatusChange {
  readonly reference: StatusReference
  /** Raw value: 0 VALID, 1 INVALID, 2 SUSPENDED. */
  readonly status: number
}

/** What changing needs. */
export interface StatusChangeDeps {
  readonly store: Pick<Store, 'get'>
  readonly keys: ListKeys
  /** Where lists lie: `<base>/<id>`. */
  readonly base: string
}

/**
 * The steps that make the changes, all or none; none at all when everything is already as wanted.
 *
 * @throws {VerificationError} `status_list_unknown`: the reference is none of ours, or its list is retired.
 * @throws {VerificationError} `status_index_out_of_bounds`, `status_not_supported`, `status_final`.
 */
export async function proposeChanges(
  changes: readonly StatusChange[],
  deps: StatusChangeDeps,
): Promise<readonly StoreStep[]> {
  const byList = groupBy(changes, ({ reference }) => reference.uri)
  const steps: StoreStep[] = []
  for (const [uri, ofList] of byList) steps.push(...(await listSteps(uri, ofList, deps)))
  return steps
}

/** The raw status that stands at a reference now. @throws {VerificationError} as {@link proposeChanges}. */
export async function readStatus(reference: StatusReference, deps: StatusChangeDeps): Promise<number> {
  const { record } = await findList(reference.uri, deps)
  const place = placeOf(record, reference.idx)
  return statusAt((await loadChunk(record, place.chunk, deps)).list, place.index)
}

function groupBy<Key, Item>(
  items: readonly Item[],
  keyOf: (item: Item) => Key,
): ReadonlyMap<Key, readonly Item[]> {
  const groups = new Map<Key, Item[]>()
  for (const item of items) {
    const group = groups.get(keyOf(item))
    if (group === undefined) groups.set(keyOf(item), [item])
    else group.push(item)
  }
  return groups
}

async function listSteps(
  uri: string,
  changes: readonly StatusChange[],
  deps: StatusChangeDeps,
): Promise<readonly StoreStep[]> {
  const { record, stored } = await findList(uri, deps)
  const placed = changes.map(({ reference, status }) => ({ ...placeOf(record, reference.idx), status }))
  const steps: StoreStep[] = []
  for (const [number, ofChunk] of groupBy(placed, ({ chunk }) => chunk)) {
    const chunk = await loadChunk(record, number, deps)
    if (applyChanges(chunk.list, ofChunk)) steps.push(chunkStep(record, { number, ...chunk }, deps.keys))
  }
  if (steps.length === 0) return []

  const value = listRecordToJson({ ...record, revision: record.revision + 1 })
  const { version } = stored
  return [
    ...steps,
    { op: 'replace', key: deps.keys.list(record.id), version, value, expiresAt: record.retiresAt },
  ]
}

function applyChanges(
  list: StatusList,
  changes: readonly { readonly index: number; readonly status: number }[],
): boolean {
  let changed = false
  for (const { index, status } of changes) {
    const before = statusAt(list, index)
    requireTransition(before, status)
    writeStatus(list, index, status)
    changed ||= before !== status
  }
  return changed
}

async function findList(
  uri: string,
  { store, keys, base }: StatusChangeDeps,
): Promise<{ readonly record: ListRecord; readonly stored: StoredValue }> {
  const id = uri.startsWith(`${base}/`) ? uri.slice(base.length + 1) : ''
  const stored = isListId(id) ? await store.get(keys.list(id)) : undefined
  if (stored !== undefined) {
    const record = parseListRecord(stored.value)
    if (record.uri === uri) return { record, stored }
  }
  throw new VerificationError('status_list_unknown', 'No Status List is published here under the URI.')
}

function placeOf(record: ListRecord, idx: number): { readonly chunk: number; readonly index: number } {
  if (!Number.isSafeInteger(idx) || idx < 0 || idx >= record.size) {
    throw new VerificationError('status_index_out_of_bounds', 'The Status List is too short for the index.')
  }
  const perChunk = (CHUNK_BYTES * 8) / record.bits
  return { chunk: Math.floor(idx / perChunk), index: idx % perChunk }
}

async function loadChunk(
  record: ListRecord,
  number: number,
  { store, keys }: StatusChangeDeps,
): Promise<{ readonly list: StatusList; readonly version: string | undefined }> {
  const stored = await store.get(keys.chunk(record.id, number))
  const length = Math.min(CHUNK_BYTES, statusListBytes(record.size, record.bits) - number * CHUNK_BYTES)
  const bytes = stored === undefined ? new Uint8Array(length) : parseChunk(stored.value)
  return { list: { bits: record.bits, bytes }, version: stored?.version }
}

function chunkStep(
  record: ListRecord,
  chunk: { readonly number: number; readonly list: StatusList; readonly version: string | undefined },
  keys: ListKeys,
): StoreStep {
  const key = keys.chunk(record.id, chunk.number)
  const value = chunkToJson(chunk.list.bytes)
  const { version } = chunk
  return version === undefined
    ? { op: 'putIfAbsent', key, value, expiresAt: record.retiresAt }
    : { op: 'replace', key, version, value, expiresAt: record.retiresAt }
}
