/**
 * A Store over `level`: embedded, on one disk, for one process.
 *
 * Owns the verbs. Every write goes through one line (group-commit.ts), so a verb is atomic, and resolves only
 * after an fsync. Expired entries are absent at once and leave the disk with later writes.
 *
 * Two processes cannot share a level database; a store over a server does that.
 *
 * @module
 */
import {
  type Clock,
  checkKey,
  checkSteps,
  DEFAULT_LIST_LIMIT,
  type JsonValue,
  type NumericDate,
  type Store,
  type StoredValue,
  type StoreStep,
  serializeValue,
} from '@attache/core'
import { type Change, createGroupCommit, type EntryView } from './group-commit.js'
import { type LevelDatabase, openLevelDatabase } from './level-database.js'
import { isAlive, type LevelEntry } from './level-record.js'
import { sweepExpired } from './level-sweep.js'

/** Where the data lies, and what time it is. */
export interface LevelStoreOptions {
  /** Folder of the database; made when missing, readable by this user only. */
  readonly path: string
  /** Decides which entries have expired. */
  readonly clock: Clock
}

/** A Store that is opened and closed. */
export interface LevelStore extends Store {
  /** Takes up to `limit` expired entries off the disk; happens by itself with later writes. */
  sweep(limit?: number): Promise<number>
  /** Waits for what is under way and closes the database. */
  close(): Promise<void>
}

/** After so many writes, expired entries are looked for. */
const WRITES_BETWEEN_SWEEPS = 256
const SWEEP_LIMIT = 1_000

/**
 * Opens a Store over a level database.
 *
 * @throws {TypeError} `store_locked`: another process has it open; the message says what to do.
 * @throws {TypeError} `store_format_unknown`: a later release wrote it.
 * @throws {TypeError} `store_unavailable`: the path cannot be opened as a database.
 */
export async function createLevelStore(options: LevelStoreOptions): Promise<LevelStore> {
  const { clock } = options
  const db = await openLevelDatabase(options.path)
  const submit = createLine(db, clock)
  const change = (steps: readonly StoreStep[]) => submit(stepsChange(steps))

  return {
    async get(key) {
      checkKey(key)
      return read(await db.read(key), clock())
    },
    async put(key, value, expiresAt) {
      await change([{ op: 'put', key, value, ...expiry(expiresAt) }])
    },
    async putIfAbsent(key, value, expiresAt) {
      return change([{ op: 'putIfAbsent', key, value, ...expiry(expiresAt) }])
    },
    async replace(key, version, value, expiresAt) {
      return change([{ op: 'replace', key, version, value, ...expiry(expiresAt) }])
    },
    async take(key) {
      checkKey(key)
      return submit(takeChange(key, clock))
    },
    async list(prefix, after = '', limit = DEFAULT_LIST_LIMIT) {
      const listed = await db.list({ prefix, after, limit, now: clock() })
      return listed.map(({ key, entry }) => ({ key, value: parse(entry), version: entry.version }))
    },
    async commit(steps) {
      return change(steps)
    },
    sweep: (limit = SWEEP_LIMIT) => submit.sweep(limit),
    close: () => submit.close(),
  }
}

function createLine(db: LevelDatabase, clock: Clock) {
  let versions = 0
  let writes = 0
  let sweeping: Promise<unknown> = Promise.resolve()
  let closed = false
  const line = createGroupCommit({
    now: clock,
    nextVersion: () => {
      versions += 1
      return `${db.boot.toString(36)}.${versions.toString(36)}`
    },
    load: (keys) => db.readMany(keys),
    write: (operations) => db.write(operations),
  })

  const sweep = (limit: number) => sweepExpired(db, { now: clock(), limit, submit: line.submit })
  async function submit<Result>(change: Change<Result>): Promise<Result> {
    if (closed) throw new Error('The level store is closed.')
    const result = await line.submit(change)
    writes += 1
    // Nobody waits for a sweep, and what it fails at is tried again by the next one.
    if (writes % WRITES_BETWEEN_SWEEPS === 0 && !closed) sweeping = sweep(SWEEP_LIMIT).catch(() => 0)
    return result
  }

  return Object.assign(submit, {
    sweep,
    async close() {
      closed = true
      await sweeping
      await line.drained()
      await db.close()
    },
  })
}

const expiry = (expiresAt: NumericDate | undefined) => (expiresAt === undefined ? {} : { expiresAt })

function read(entry: LevelEntry | undefined, now: NumericDate): StoredValue | undefined {
  if (entry === undefined || !isAlive(entry, now)) return undefined
  return { value: parse(entry), version: entry.version }
}

function parse(entry: LevelEntry): JsonValue {
  const value: JsonValue = JSON.parse(entry.text)
  return value
}

function takeChange(key: string, clock: Clock): Change<StoredValue | undefined> {
  return {
    keys: [key],
    size: 0,
    decide(view) {
      const entry = view.find(key)
      if (entry !== undefined) view.remove(key)
      return read(entry, clock())
    },
  }
}

function stepsChange(steps: readonly StoreStep[]): Change<boolean> {
  checkSteps(steps)
  const texts = steps.map((step) => (step.op === 'remove' ? '' : serializeValue(step.value)))
  return {
    keys: steps.map((step) => step.key),
    size: texts.reduce((sum, text) => sum + text.length, 0),
    decide(view) {
      if (!steps.every((step) => holds(view, step))) return false
      steps.forEach((step, at) => {
        if (step.op === 'remove') view.remove(step.key)
        else view.write(step.key, texts[at] ?? '', step.expiresAt)
      })
      return true
    },
  }
}

function holds(view: EntryView, step: StoreStep): boolean {
  if (step.op === 'put') return true
  if (step.op === 'putIfAbsent') return view.find(step.key) === undefined
  if (step.op === 'remove' && step.version === undefined) return true
  return view.find(step.key)?.version === step.version
}
