/**
 * The sweep: takes expired entries off the disk.
 *
 * Costs as much as there is to remove, never a walk over what lives. An expiry row may be stale (its entry was
 * rewritten or removed); then only the row goes.
 *
 * @module
 */
import type { NumericDate } from '@attache/core'
import type { Change } from './group-commit.js'
import type { LevelDatabase } from './level-database.js'
import { isAlive, keyOfRow } from './level-record.js'

/** What a sweep is run with. */
export interface SweepOptions {
  readonly now: NumericDate
  /** At most so many rows are looked at. */
  readonly limit: number
  /** The line every other write goes through. */
  readonly submit: <Result>(change: Change<Result>) => Promise<Result>
}

/** Removes expired entries; returns how many expiry rows were settled. */
export async function sweepExpired(
  db: Pick<LevelDatabase, 'dueRows' | 'write' | 'readMany'>,
  { now, limit, submit }: SweepOptions,
): Promise<number> {
  const rows = await db.dueRows(now, limit)
  if (rows.length === 0) return 0

  const keys = [...new Set(rows.map(keyOfRow))]
  const loaded = await db.readMany(keys)
  const dead = keys.filter((key) => {
    const entry = loaded.get(key)
    return entry !== undefined && !isAlive(entry, now)
  })
  // Through the line: an entry written anew since it was read is alive in the view and stays.
  await submit({
    keys: dead,
    size: 0,
    decide: (view) => {
      for (const key of dead) if (view.find(key) === undefined) view.remove(key)
    },
  })
  await db.write(rows.map((key) => ({ type: 'del', key })))
  return rows.length
}
