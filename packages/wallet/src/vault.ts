/**
 * The vault: sealed records of each agent in the store.
 *
 * Owns the store keys of the wallet and that no record reaches the store unsealed. A record is sealed for its
 * store key, which names tenant, kind, agent and id, and for its count where it has one: moved to another agent
 * or given another count, it does not open. Which count is the newest, the ledger knows (`ledger.ts`). A caller
 * names the agent on every call; a prefix of one agent never lists a record of another.
 *
 * Source: threat model, rows 16, 21 and 28.
 *
 * @module
 */
import {
  configurationError,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  member,
  type Store,
  type StoreStep,
  storeKey,
} from '@attache/core'
import type { Envelope } from '@attache/keys'

/** What the wallet keeps, one kind per shape. */
export type RecordKind =
  | 'credential'
  | 'key'
  | 'client'
  | 'token'
  | 'pending'
  | 'explanation'
  | 'switch'
  | 'ledger'

/** Where a record lies, within one tenant. */
export interface Where {
  readonly agent: string
  readonly kind: RecordKind
  /** Id within agent and kind. */
  readonly id: string
}

/** A record as it was read, with the version that a replacing write names. */
export interface VaultRecord {
  readonly id: string
  readonly content: JsonValue
  readonly version: string
  /** What the record was sealed with; 0 for a record that is not counted, and for all of the first release. */
  readonly count: number
}

/** Reads and writes sealed records. */
export interface Vault {
  read(where: Where): Promise<VaultRecord | undefined>
  /** The version in the store, without opening the record. */
  versionOf(where: Where): Promise<string | undefined>
  /** Every record of one agent and kind, by id. */
  list(agent: string, kind: RecordKind, limit?: number): Promise<readonly VaultRecord[]>
  /** A step that writes, for a commit; with `version` only when nobody moved meanwhile. */
  writing(where: Where, content: JsonValue, options?: WriteOptions): Promise<StoreStep>
  /** A step that writes when nothing is there. */
  creating(where: Where, content: JsonValue, options?: Pick<WriteOptions, 'count'>): Promise<StoreStep>
  /** A step that removes. */
  removing(where: Where): StoreStep
  /** Does all steps or none; durable when resolved. */
  commit(steps: readonly StoreStep[]): Promise<boolean>
  /** Marks something as done for good: of many at once, the first one gets `true`. Durable when resolved. */
  spend(agent: string, id: string, expiresAt?: number): Promise<boolean>
  isSpent(agent: string, id: string): Promise<boolean>
  /** Wraps every record of an agent with the current master key. @returns How many were rewritten. */
  rewrap(agent: string): Promise<number>
}

/** How a record is written. */
export interface WriteOptions {
  /** NumericDate after which the record may go. */
  readonly expiresAt?: number | undefined
  /** The version that must still be there. */
  readonly version?: string | undefined
  /** Bound to the record beside its place. @default 0, not counted */
  readonly count?: number | undefined
}

/** Which names an agent may have: one segment of a store key, safe in a path and in a log. */
export const AGENT_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

const KINDS: readonly RecordKind[] = [
  'credential',
  'key',
  'client',
  'token',
  'pending',
  'explanation',
  'switch',
  'ledger',
]
const PAGE = 500

/**
 * Makes the vault of one tenant.
 *
 * Source: threat model, row 16.
 */
export function createVault(
  options: { readonly tenant: string },
  deps: { readonly store: Store; readonly envelope: Envelope },
): Vault {
  const { store, envelope } = deps
  const keyOf = ({ agent, kind, id }: { agent: string; kind: string; id: string }): string => {
    if (!AGENT_ID.test(agent))
      throw configurationError('agent_invalid', 'An agent id is letters, digits, dot, dash.')
    return storeKey({ tenant: options.tenant, room: 'wallet', kind, id: `${agent}/${id}` })
  }
  const open = async (id: string, key: string, stored: { value: JsonValue; version: string }) => ({
    id,
    content: await envelope.open(stored.value, sealedFor(key, countOf(stored.value))),
    version: stored.version,
    count: countOf(stored.value),
  })
  const seal = async (key: string, content: JsonValue, { expiresAt, count = 0 }: WriteOptions) =>
    withClear(await envelope.seal(content, sealedFor(key, count)), { expiresAt, count })
  return {
    async read(where) {
      const stored = await store.get(keyOf(where))
      return stored && open(where.id, keyOf(where), stored)
    },
    versionOf: async (where) => (await store.get(keyOf(where)))?.version,
    async list(agent, kind, limit) {
      const entries = await listAll(store, keyOf({ agent, kind, id: '' }), limit)
      return Promise.all(entries.map(({ id, key, stored }) => open(id, key, stored)))
    },
    async writing(where, content, options = {}) {
      const key = keyOf(where)
      const { version, expiresAt } = options
      const entry = { key, value: await seal(key, content, options), ...expiry(expiresAt) }
      return version === undefined ? { op: 'put', ...entry } : { op: 'replace', version, ...entry }
    },
    async creating(where, content, options = {}) {
      const key = keyOf(where)
      return { op: 'putIfAbsent', key, value: await seal(key, content, options) }
    },
    removing: (where) => ({ op: 'remove', key: keyOf(where) }),
    commit: (steps) => store.commit(steps),
    spend: (agent, id, expiresAt) =>
      store.putIfAbsent(keyOf({ agent, kind: 'spent', id }), { v: 1 }, expiresAt),
    isSpent: async (agent, id) => (await store.get(keyOf({ agent, kind: 'spent', id }))) !== undefined,
    async rewrap(agent) {
      let rewritten = 0
      for (const kind of KINDS) {
        for (const { key, stored } of await listAll(store, keyOf({ agent, kind, id: '' }))) {
          const [expiresAt, count] = [expiryOf(stored.value), countOf(stored.value)]
          const value = await envelope.rewrap(stored.value, sealedFor(key, count))
          if (masterKeyOf(value) === masterKeyOf(stored.value)) continue
          const kept = withClear(value, { expiresAt, count })
          if (await store.replace(key, stored.version, kept, expiresAt)) rewritten += 1
        }
      }
      return rewritten
    },
  }
}

async function listAll(store: Store, prefix: string, limit = Number.POSITIVE_INFINITY) {
  const found: { id: string; key: string; stored: { value: JsonValue; version: string } }[] = []
  let after: string | undefined
  for (;;) {
    const wanted = Math.min(PAGE, limit - found.length)
    const page = wanted > 0 ? await store.list(prefix, after, wanted) : []
    for (const entry of page)
      found.push({ id: entry.key.slice(prefix.length), key: entry.key, stored: entry })
    if (page.length < PAGE) return found
    after = page.at(-1)?.key
  }
}

// A line break is in no store key: no record of one place passes as a counted one of another.
function sealedFor(key: string, count: number): string {
  return count === 0 ? key : `${key}\n${count}`
}

// The store tells nobody when an entry ends; a record that is wrapped anew must end when it did before.
function withClear(value: JsonObject, { expiresAt, count = 0 }: WriteOptions): JsonObject {
  return {
    ...value,
    ...(expiresAt === undefined ? {} : { e: expiresAt }),
    ...(count === 0 ? {} : { n: count }),
  }
}

function countOf(value: JsonValue): number {
  const count = isJsonObject(value) ? member(value, 'n') : undefined
  return typeof count === 'number' ? count : 0
}

function expiryOf(value: JsonValue): number | undefined {
  const expiresAt = isJsonObject(value) ? member(value, 'e') : undefined
  return typeof expiresAt === 'number' ? expiresAt : undefined
}

function masterKeyOf(value: JsonValue): JsonValue | undefined {
  return isJsonObject(value) ? member(value, 'k') : undefined
}

function expiry(expiresAt: number | undefined): { expiresAt?: number } {
  return expiresAt === undefined ? {} : { expiresAt }
}
