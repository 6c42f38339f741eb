/**
 * The level database itself: opened once, read, written with fsync, swept.
 *
 * Knows rows (level-record.ts) and errors of level; knows nothing of store verbs.
 *
 * Source: the documentation of level 10 and classic-level 3.
 *
 * @module
 */
import { mkdir } from 'node:fs/promises'
import { configurationError, type NumericDate } from '@attache/core'
import { Level } from 'level'
import type { RowOperation } from './group-commit.js'
import {
  decodeEntry,
  entryRow,
  isAlive,
  keyOfRow,
  LEVEL_FORMAT,
  type LevelEntry,
  metaRow,
} from './level-record.js'

/** The database under a store. */
export interface LevelDatabase {
  /** How often this database was opened, this time included; makes versions unique over restarts. */
  readonly boot: number
  read(key: string): Promise<LevelEntry | undefined>
  readMany(keys: readonly string[]): Promise<ReadonlyMap<string, LevelEntry>>
  /** Living entries by key bytes, at most `limit`. */
  list(range: {
    prefix: string
    after: string
    limit: number
    now: NumericDate
  }): Promise<readonly { readonly key: string; readonly entry: LevelEntry }[]>
  /** Resolves when everything is on the disk. */
  write(operations: readonly RowOperation[]): Promise<void>
  /** Rows whose time to look has come, oldest first. */
  dueRows(now: NumericDate, limit: number): Promise<readonly string[]>
  close(): Promise<void>
}

/**
 * Opens (or makes) a database in a directory that only this user may read.
 *
 * @throws {TypeError} `store_locked`: another process has it open.
 * @throws {TypeError} `store_format_unknown`: a later release wrote it.
 * @throws {TypeError} `store_unavailable`: the path cannot be opened as a database.
 */
export async function openLevelDatabase(path: string): Promise<LevelDatabase> {
  const db = await openLevel(path)
  const boot = await enter(db)

  return {
    boot,
    async read(key) {
      const row = await db.get(entryRow(key))
      return row === undefined ? undefined : decodeEntry(row)
    },
    async readMany(keys) {
      const rows = keys.length === 0 ? [] : await db.getMany(keys.map(entryRow))
      return new Map(
        keys.flatMap((key, at): [string, LevelEntry][] => {
          const row = rows[at]
          return row === undefined ? [] : [[key, decodeEntry(row)]]
        }),
      )
    },
    list: (range) => listEntries(db, range),
    async write(operations) {
      await db.batch([...operations], { sync: true })
    },
    dueRows: (now, limit) => listDueRows(db, now, limit),
    close: () => db.close(),
  }
}

type Database = Level<string, string>

async function openLevel(path: string): Promise<Database> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
    const db = new Level<string, string>(path, { keyEncoding: 'utf8', valueEncoding: 'utf8' })
    await db.open()
    return db
  } catch (error) {
    if (isLocked(error)) {
      throw configurationError(
        'store_locked',
        `Another process has the data folder ${path} open: stop it, give this one its own data folder, or use a store that several processes share.`,
      )
    }
    throw Object.assign(
      configurationError(
        'store_unavailable',
        `The data folder ${path} cannot be opened: see that it is a folder this user may write.`,
      ),
      { cause: error },
    )
  }
}

function isLocked(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { cause } = error
  return cause instanceof Error && 'code' in cause && cause.code === 'LEVEL_LOCKED'
}

async function enter(db: Database): Promise<number> {
  const format = await db.get(metaRow('format'))
  if (format !== undefined && Number(format) > LEVEL_FORMAT) {
    await db.close()
    throw configurationError(
      'store_format_unknown',
      'A later release wrote this level database: start that release, or restore a copy from before it.',
    )
  }
  const boot = Number((await db.get(metaRow('boot'))) ?? 0) + 1
  await db.batch(
    [
      { type: 'put', key: metaRow('format'), value: String(LEVEL_FORMAT) },
      { type: 'put', key: metaRow('boot'), value: String(boot) },
    ],
    { sync: true },
  )
  return boot
}

async function listEntries(
  db: Database,
  range: { prefix: string; after: string; limit: number; now: NumericDate },
): Promise<readonly { key: string; entry: LevelEntry }[]> {
  const found: { key: string; entry: LevelEntry }[] = []
  if (range.limit <= 0) return found

  const start = range.after < range.prefix ? { gte: entryRow(range.prefix) } : { gt: entryRow(range.after) }
  // Keys are ASCII, so U+007F is past every key of the prefix.
  const rows = db.iterator({ ...start, lt: `${entryRow(range.prefix)}\u007f` })
  for await (const [row, text] of rows) {
    const entry = decodeEntry(text)
    if (!isAlive(entry, range.now)) continue
    found.push({ key: keyOfRow(row), entry })
    if (found.length >= range.limit) break
  }
  return found
}

async function listDueRows(db: Database, now: NumericDate, limit: number): Promise<readonly string[]> {
  const end = `x${String(Math.max(0, Math.floor(now) + 1)).padStart(12, '0')}`
  return db.keys({ gte: 'x', lt: end, limit }).all()
}
