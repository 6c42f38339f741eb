/**
 * Group commit: changes that arrive while the disk is busy share the next write.
 *
 * Changes are decided one after another, in the order of arrival, each seeing what the ones before it did,
 * and are written as one synchronised batch. Nobody is told a result before that batch is on the disk: not
 * even the loser of a race, because the winner it lost to could still vanish.
 *
 * @module
 */
import type { NumericDate } from '@attache/core'
import { encodeEntry, entryRow, expiryRow, isAlive, type LevelEntry } from './level-record.js'

/** What the database is asked to do. */
export type RowOperation =
  | { readonly type: 'put'; readonly key: string; readonly value: string }
  | { readonly type: 'del'; readonly key: string }

/** What a change sees and does: the entries of the keys it named. */
export interface EntryView {
  /** The living entry under a key. */
  find(key: string): LevelEntry | undefined
  write(key: string, text: string, expiresAt: NumericDate | undefined): void
  remove(key: string): void
}

/** One change: decided in memory, in one go. */
export interface Change<Result> {
  /** Every key that `decide` looks at or writes. */
  readonly keys: readonly string[]
  /** How much it writes, in characters; bounds a group. */
  readonly size: number
  decide(view: EntryView): Result
}

/** What the groups are written with. */
export interface GroupCommitDeps {
  readonly now: () => NumericDate
  /** Gives a version that was never given before. */
  readonly nextVersion: () => string
  readonly load: (keys: readonly string[]) => Promise<ReadonlyMap<string, LevelEntry>>
  /** Resolves when everything is on the disk. */
  readonly write: (operations: readonly RowOperation[]) => Promise<void>
}

/** A line of changes. */
export interface GroupCommit {
  submit<Result>(change: Change<Result>): Promise<Result>
  /** Resolves when nothing waits any more. */
  drained(): Promise<void>
}

interface Waiting {
  readonly change: Change<unknown>
  /** Decides, and gives back what announces the result. */
  readonly decide: (view: EntryView) => () => void
  readonly fail: (error: unknown) => void
}

const MAX_GROUP_CHANGES = 1_024
const MAX_GROUP_CHARACTERS = 8 * 1_048_576

/** Creates a line of changes over one database. */
export function createGroupCommit(deps: GroupCommitDeps): GroupCommit {
  let waiting: Waiting[] = []
  let running: Promise<void> | undefined

  async function run(): Promise<void> {
    // What is submitted in the same turn belongs to the first group already.
    await null
    while (waiting.length > 0) {
      const length = groupLength(waiting)
      const group = waiting.slice(0, length)
      waiting = waiting.slice(length)
      await writeGroup(group, deps)
    }
    running = undefined
  }

  return {
    submit<Result>(change: Change<Result>) {
      return new Promise<Result>((resolve, reject) => {
        const decide = (view: EntryView) => {
          const result = change.decide(view)
          return () => resolve(result)
        }
        waiting.push({ change, decide, fail: reject })
        running ??= run()
      })
    },
    async drained() {
      while (running !== undefined) await running
    },
  }
}

function groupLength(waiting: readonly Waiting[]): number {
  let characters = 0
  let length = 0
  for (const { change } of waiting) {
    characters += change.size
    if (length > 0 && (characters > MAX_GROUP_CHARACTERS || length === MAX_GROUP_CHANGES)) break
    length += 1
  }
  return length
}

async function writeGroup(group: readonly Waiting[], deps: GroupCommitDeps): Promise<void> {
  try {
    const keys = new Set(group.flatMap((waiting) => waiting.change.keys))
    const view = createView(await deps.load([...keys]), deps)
    const announce = group.map((waiting) => waiting.decide(view))

    const operations = view.operations()
    if (operations.length > 0) await deps.write(operations)
    for (const tell of announce) tell()
  } catch (error) {
    // Whether a failed write reached the disk is unknown: nobody in the group may believe anything.
    for (const waiting of group) waiting.fail(error)
  }
}

function createView(loaded: ReadonlyMap<string, LevelEntry>, deps: GroupCommitDeps) {
  const now = deps.now()
  const changed = new Map<string, LevelEntry | undefined>()

  return {
    find(key: string): LevelEntry | undefined {
      const entry = changed.has(key) ? changed.get(key) : loaded.get(key)
      return entry !== undefined && isAlive(entry, now) ? entry : undefined
    },
    write(key: string, text: string, expiresAt: NumericDate | undefined): void {
      changed.set(key, { text, expiresAt, version: deps.nextVersion() })
    },
    remove(key: string): void {
      changed.set(key, undefined)
    },
    operations(): readonly RowOperation[] {
      return [...changed].flatMap(([key, entry]) => rowOperations(key, entry))
    },
  }
}

function rowOperations(key: string, entry: LevelEntry | undefined): readonly RowOperation[] {
  if (entry === undefined) return [{ type: 'del', key: entryRow(key) }]
  const row: RowOperation = { type: 'put', key: entryRow(key), value: encodeEntry(entry) }
  if (entry.expiresAt === undefined) return [row]
  return [row, { type: 'put', key: expiryRow(key, entry.expiresAt), value: '' }]
}
