/**
 * The Store port: what every room that remembers something is handed.
 *
 * Every verb is atomic, and what it says is durable when its promise resolves (as durable as the store is:
 * the memory store keeps nothing over a restart). What may happen once is one step: `putIfAbsent`, `take`,
 * `replace` or one `commit`, never a read followed by a write.
 *
 * A value is any JSON up to 1 MiB, a key is ASCII up to 512 bytes, a version is opaque text. An entry past
 * its expiry is absent for every verb.
 *
 * @module
 */
import { configurationError } from './errors.js'
import type { JsonValue } from './json.js'
import type { NumericDate } from './time.js'

/** Greatest length of a key, in bytes. */
export const MAX_KEY_BYTES = 512

/** Greatest size of a value, in bytes of JSON text. */
export const MAX_VALUE_BYTES = 1_048_576

/**
 * How much longer than it is accepted a spent thing (nonce, `jti`, session) is remembered, in seconds.
 *
 * A request is judged by the clock of its start, the store looks at the clock of its commit, and whoever sends
 * the body slowly decides how much lies between. Without the margin a copy would be in time for the judgement
 * and too late for the record of the first one. `readBody` waits for half of it at most; the rest is for work.
 */
export const SPENT_MARGIN_SECONDS = 60

/** A value and the version that {@link Store.replace} asks for. */
export interface StoredValue {
  readonly value: JsonValue
  readonly version: string
}

/** An entry of a listing. */
export interface StoredEntry extends StoredValue {
  readonly key: string
}

/** One step of a {@link Store.commit}. */
export type StoreStep =
  | { readonly op: 'put'; readonly key: string; readonly value: JsonValue; readonly expiresAt?: NumericDate }
  | {
      readonly op: 'putIfAbsent'
      readonly key: string
      readonly value: JsonValue
      readonly expiresAt?: NumericDate
    }
  | {
      readonly op: 'replace'
      readonly key: string
      readonly version: string
      readonly value: JsonValue
      readonly expiresAt?: NumericDate
    }
  | { readonly op: 'remove'; readonly key: string; readonly version?: string }

/** Keeps JSON values under keys. */
export interface Store {
  /** Reads. */
  get(key: string): Promise<StoredValue | undefined>
  /** Writes, whatever was there. */
  put(key: string, value: JsonValue, expiresAt?: NumericDate): Promise<void>
  /** Writes when nothing is there; of many at once, the first one wins and gets `true`. */
  putIfAbsent(key: string, value: JsonValue, expiresAt?: NumericDate): Promise<boolean>
  /** Writes when nobody moved meanwhile: the entry exists with this version. */
  replace(key: string, version: string, value: JsonValue, expiresAt?: NumericDate): Promise<boolean>
  /** Reads and removes; of many at once, one gets the value. */
  take(key: string): Promise<StoredValue | undefined>
  /**
   * Lists by key bytes.
   *
   * @param after Only keys greater than this one.
   * @param limit At most so many. Default 1000.
   */
  list(prefix: string, after?: string, limit?: number): Promise<readonly StoredEntry[]>
  /**
   * Does all steps or none. Conditions are judged against the state before the commit; no two steps may
   * name one key.
   *
   * @returns Whether it was done: `false` when a condition did not hold.
   */
  commit(steps: readonly StoreStep[]): Promise<boolean>
}

/** How many entries {@link Store.list} returns when the caller names no limit. */
export const DEFAULT_LIST_LIMIT = 1000

/**
 * Refuses a key that no store takes.
 *
 * @throws {TypeError} `store_key_invalid`: empty, not printable ASCII, or longer than 512 bytes.
 */
export function checkKey(key: string): void {
  if (key.length > 0 && key.length <= MAX_KEY_BYTES && /^[\x20-\x7e]+$/.test(key)) return
  throw configurationError('store_key_invalid', 'A store key is 1 to 512 printable ASCII characters.')
}

/**
 * Writes a value as the text that stores keep.
 *
 * @throws {TypeError} `store_value_too_large`: over 1 MiB of JSON text.
 */
export function serializeValue(value: JsonValue): string {
  const text = JSON.stringify(value)
  // A JavaScript character is at most three bytes of UTF-8: most values need no exact count.
  if (text.length * 3 <= MAX_VALUE_BYTES || Buffer.byteLength(text) <= MAX_VALUE_BYTES) return text
  throw configurationError('store_value_too_large', 'A stored value is at most 1 MiB of JSON.')
}

/**
 * Refuses a commit that no store takes.
 *
 * @throws {TypeError} `store_commit_invalid`: two steps name one key.
 */
export function checkSteps(steps: readonly StoreStep[]): void {
  for (const step of steps) checkKey(step.key)
  if (new Set(steps.map((step) => step.key)).size === steps.length) return
  throw configurationError('store_commit_invalid', 'No two steps of a commit may name one key.')
}

/**
 * Builds a key: `t/<tenant>/<room>/<kind>/<id>`. Baked into stored data; never changed.
 *
 * The id may contain slashes; the other parts may not.
 *
 * @throws {TypeError} `store_key_invalid`.
 */
export function storeKey(parts: {
  readonly tenant: string
  readonly room: string
  readonly kind: string
  readonly id: string
}): string {
  const { tenant, room, kind, id } = parts
  if ([tenant, room, kind].some((part) => part === '' || part.includes('/'))) {
    throw configurationError(
      'store_key_invalid',
      'Tenant, room and kind of a store key are one segment each.',
    )
  }
  const key = `t/${tenant}/${room}/${kind}/${id}`
  checkKey(key)
  return key
}
