/**
 * The register: what was issued, to whom, and where its status stands.
 *
 * Owns the stored form, and the two ways it is found: by agent and by owner, so that a leaver's agents can be
 * cut off. No claim values, no credential and no key are kept.
 *
 * Source: the house design, section Decided once; OpenID4VCI 1.0, sections 15.3 and 15.4.1.
 *
 * @module
 */
import type { JsonValue, NumericDate, Store, StoreStep } from '@attache/core'
import { z } from 'zod'
import { checkRecordVersion, entriesUnder, type RecordKeys, textHash } from './stored-record.js'

/** A stored register entry. */
export type RegisterEntry = {
  readonly v: 1
  /** `crd_…` */
  readonly id: string
  readonly agent: string
  readonly owner: string
  readonly template: string
  readonly templateVersion: number
  /** Where the status stands; null for a template without status. */
  readonly status: { readonly uri: string; readonly idx: number } | null
  readonly issuedAt: NumericDate
  readonly expiresAt: NumericDate
}

// Built once: building a schema costs more than all it reads in a request.
const entrySchema = z.object({
  v: z.literal(1),
  id: z.string(),
  agent: z.string(),
  owner: z.string(),
  template: z.string(),
  templateVersion: z.number(),
  status: z.object({ uri: z.string(), idx: z.number() }).nullable(),
  issuedAt: z.number(),
  expiresAt: z.number(),
})

/** Reads a stored register entry. */
export function migrateRegisterEntry(value: JsonValue): RegisterEntry {
  return entrySchema.parse(checkRecordVersion(value))
}

/** How credentials are looked for. */
export type RegisterQuery =
  | { readonly by: 'id'; readonly id: string }
  | { readonly by: 'agent'; readonly agent: string }
  | { readonly by: 'owner'; readonly owner: string }

/** The steps that write an entry and its two pointers. Entries end when the credential has expired. */
export function registerSteps(entry: RegisterEntry, keys: RecordKeys): readonly StoreStep[] {
  const { expiresAt } = entry
  return [
    { op: 'putIfAbsent', key: keys.of('credential', entry.id), value: entry, expiresAt },
    {
      op: 'put',
      key: pointer('credential-of-agent', { whose: entry.agent, id: entry.id }, keys),
      value: entry.id,
      expiresAt,
    },
    {
      op: 'put',
      key: pointer('credential-of-owner', { whose: entry.owner, id: entry.id }, keys),
      value: entry.id,
      expiresAt,
    },
  ]
}

/** The unexpired entries that a query finds. */
export async function findEntries(
  query: RegisterQuery,
  deps: { readonly store: Pick<Store, 'get' | 'list'>; readonly keys: RecordKeys },
): Promise<readonly RegisterEntry[]> {
  const found: RegisterEntry[] = []
  for (const id of await idsOf(query, deps)) {
    const stored = await deps.store.get(deps.keys.of('credential', id))
    if (stored) found.push(migrateRegisterEntry(stored.value))
  }
  return found
}

/** All unexpired entries, `limit` at a time. `after` is the id of the last one of the page before. */
export async function listEntries(
  page: { readonly after?: string | undefined; readonly limit: number },
  deps: { readonly store: Pick<Store, 'list'>; readonly keys: RecordKeys },
): Promise<readonly RegisterEntry[]> {
  const after = page.after === undefined ? undefined : deps.keys.of('credential', page.after)
  const entries = await deps.store.list(deps.keys.of('credential', ''), after, page.limit)
  return entries.map((entry) => migrateRegisterEntry(entry.value))
}

async function idsOf(
  query: RegisterQuery,
  deps: { readonly store: Pick<Store, 'list'>; readonly keys: RecordKeys },
): Promise<readonly string[]> {
  // An id as an operator typed it: what no id looks like is no key either, and names nothing.
  if (query.by === 'id') return /^[\w-]{1,64}$/.test(query.id) ? [query.id] : []
  const prefix =
    query.by === 'agent'
      ? pointer('credential-of-agent', { whose: query.agent, id: '' }, deps.keys)
      : pointer('credential-of-owner', { whose: query.owner, id: '' }, deps.keys)
  const ids: string[] = []
  for await (const { value } of entriesUnder(prefix, deps.store))
    if (typeof value === 'string') ids.push(value)
  return ids
}

function pointer(
  kind: 'credential-of-agent' | 'credential-of-owner',
  entry: { readonly whose: string; readonly id: string },
  keys: RecordKeys,
): string {
  // Hashed: a name from an HR system may be longer than a key, and need not be ASCII.
  return keys.of(kind, `${textHash(entry.whose)}/${entry.id}`)
}
