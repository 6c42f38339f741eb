/**
 * Key sets of peers, kept for a while: one fetch for many tokens, and a peer's outage is not ours.
 *
 * A set is fetched when it is needed and too old, once for all who wait (single flight). A token that names an
 * unknown key forces one fetch, at most once per cool-down, so invented `kid` values cost the peer nothing.
 * While the source does not answer, the last set keeps serving up to a stated age.
 * Who is trusted, and where a set comes from, is the business of `key-resolution.ts`.
 *
 * Source: RFC 9901, section 9.8; RFC 7517, section 4.5; RFC 8725, section 3.10.
 *
 * @module
 */
import type { NumericDate, VerificationError } from '@attache/core'
import { refusal } from './error-codes.js'
import type { PublicJwk } from './jwk.js'
import { selectKey, type WantedKey } from './key-selection.js'

/** How long key sets are believed; all in seconds. */
export interface KeySetCacheOptions {
  /** Age from which a set is fetched again before it is used. @default 300 */
  readonly maxAgeSeconds?: number
  /** Least time between two fetches of one set, forced, failed or not. @default 30 */
  readonly cooldownSeconds?: number
  /** Age up to which a set serves while its source fails. @default 86400 */
  readonly maxStaleSeconds?: number
  /** Most sets kept; the one unused for longest goes. @default 256 */
  readonly maxSets?: number
}

/** Where a set comes from. */
export interface KeySource {
  /** Names the set in the cache, for example its URL. */
  readonly name: string
  readonly load: () => Promise<readonly PublicJwk[]>
}

/** Finds keys in cached sets. */
export interface KeySetCache {
  /**
   * Finds the one key of a set that a token header asks for.
   *
   * @throws {VerificationError} `issuer_key_not_found`, `issuer_key_ambiguous`; `issuer_keys_unavailable`: there
   *   is no set young enough and its source fails (the reason is the cause).
   */
  find(source: KeySource, wanted: WantedKey, now: NumericDate): Promise<PublicJwk>
}

interface Entry {
  keys?: readonly PublicJwk[]
  loadedAt: NumericDate
  attemptedAt: NumericDate
  loading?: Promise<void> | undefined
  failure?: unknown
}

/**
 * Makes a cache; it lives as long as whoever made it.
 *
 * Source: RFC 9901, section 9.8.
 */
export function createKeySetCache(options: KeySetCacheOptions = {}): KeySetCache {
  const { maxAgeSeconds = 300, cooldownSeconds = 30, maxStaleSeconds = 86_400, maxSets = 256 } = options
  const entries = new Map<string, Entry>()

  const mayLoad = (entry: Entry, now: NumericDate) => now - entry.attemptedAt >= cooldownSeconds
  const isYoungerThan = (entry: Entry, seconds: number, now: NumericDate) =>
    entry.keys !== undefined && now - entry.loadedAt < seconds

  const current = async (entry: Entry, source: KeySource, now: NumericDate) => {
    if (!isYoungerThan(entry, maxAgeSeconds, now)) {
      // Whoever comes while the source is being asked again is served what is there: one waits, not all.
      const waiting = entry.loading !== undefined && isYoungerThan(entry, maxStaleSeconds, now)
      if (!waiting && (entry.loading !== undefined || mayLoad(entry, now))) await load(entry, source, now)
    }
    if (entry.keys !== undefined && isYoungerThan(entry, maxStaleSeconds, now)) return entry.keys
    throw unavailable(entry.failure)
  }

  return {
    async find(source, wanted, now) {
      const entry = touch(entries, source.name, maxSets)
      const keys = await current(entry, source, now)
      const found = selectKey(keys, wanted)
      if (found !== undefined) return found

      if (entry.loading !== undefined || mayLoad(entry, now)) await load(entry, source, now)
      const refreshed = entry.keys === undefined ? undefined : selectKey(entry.keys, wanted)
      if (refreshed !== undefined) return refreshed
      throw refusal('issuer_key_not_found', 'The issuer has no key that the token could be signed with.')
    },
  }
}

/** Finds or makes an entry and marks it as the one used last. */
function touch(entries: Map<string, Entry>, name: string, maxSets: number): Entry {
  const entry = entries.get(name) ?? { loadedAt: 0, attemptedAt: Number.NEGATIVE_INFINITY }
  entries.delete(name)
  entries.set(name, entry)
  const [oldest] = entries.keys()
  if (entries.size > maxSets && oldest !== undefined) entries.delete(oldest)
  return entry
}

/** Asks the source, once for all who wait. A failure is kept for the message and never thrown from here. */
async function load(entry: Entry, source: KeySource, now: NumericDate): Promise<void> {
  entry.loading ??= attempt(entry, source, now).finally(() => {
    entry.loading = undefined
  })
  await entry.loading
}

async function attempt(entry: Entry, source: KeySource, now: NumericDate): Promise<void> {
  entry.attemptedAt = now
  try {
    entry.keys = await source.load()
    entry.loadedAt = now
    entry.failure = undefined
  } catch (cause) {
    entry.failure = cause
  }
}

function unavailable(cause: unknown): VerificationError {
  return refusal(
    'issuer_keys_unavailable',
    'The keys of the issuer could not be fetched, and none young enough are kept.',
    { cause },
  )
}
