/**
 * How entries lie in a level database: the stored format, and nothing about when it is written.
 *
 * Three kinds of rows, told apart by the first character of the row key:
 *
 * - `e<key>`: one entry, `<version> <expiresAt or -> <JSON text>`
 * - `x<expiresAt, 12 digits><key>`: when to look whether the entry has expired; may be stale, never wrong
 * - `m<name>`: `mformat` (number of this format) and `mboot` (how often the database was opened)
 *
 * Every row an older release wrote is read by every later one; a change of this format raises
 * {@link LEVEL_FORMAT} and brings its migration.
 *
 * @module
 */
import type { NumericDate } from '@attache/core'

/** Number of the stored format. An unknown higher one refuses the start. */
export const LEVEL_FORMAT = 1

/** One entry as the database keeps it. */
export interface LevelEntry {
  /** JSON text of the value. */
  readonly text: string
  /** Opaque to callers; never given to a second state of the same key. */
  readonly version: string
  /** First second at which the entry is absent. */
  readonly expiresAt: NumericDate | undefined
}

/** Row key of an entry. */
export const entryRow = (key: string): string => `e${key}`

/** Row key that tells the sweep when to look at an entry. */
export const expiryRow = (key: string, expiresAt: NumericDate): string =>
  `x${String(Math.max(0, Math.floor(expiresAt))).padStart(12, '0')}${key}`

/** The key that an entry row or an expiry row speaks of. */
export const keyOfRow = (row: string): string => row.slice(row.startsWith('x') ? 13 : 1)

/** Row key of a fact about the database itself. */
export const metaRow = (name: 'format' | 'boot'): string => `m${name}`

/** Writes an entry as its row. */
export function encodeEntry(entry: LevelEntry): string {
  return `${entry.version} ${entry.expiresAt ?? '-'} ${entry.text}`
}

/**
 * Reads an entry row.
 *
 * @throws {Error} the row is damaged: a fault, because nothing but this file writes rows.
 */
export function decodeEntry(row: string): LevelEntry {
  const afterVersion = row.indexOf(' ')
  const afterExpiry = row.indexOf(' ', afterVersion + 1)
  if (afterVersion < 1 || afterExpiry < 0) throw new Error('A row of the level database is damaged.')

  const expiry = row.slice(afterVersion + 1, afterExpiry)
  return {
    version: row.slice(0, afterVersion),
    expiresAt: expiry === '-' ? undefined : Number(expiry),
    text: row.slice(afterExpiry + 1),
  }
}

/** Whether an entry is there at this time: it ends with the second it expires at. */
export const isAlive = (entry: LevelEntry, now: NumericDate): boolean =>
  entry.expiresAt === undefined || now < entry.expiresAt
