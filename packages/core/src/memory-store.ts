/**
 * A Store in memory: for tests, for trials, for state that may die with the process.
 *
 * @module
 */
import type { JsonValue } from './json.js'
import {
  checkKey,
  checkSteps,
  DEFAULT_LIST_LIMIT,
  type Store,
  type StoredValue,
  type StoreStep,
  serializeValue,
} from './store.js'
import type { Clock, NumericDate } from './time.js'

interface Entry {
  readonly text: string
  readonly version: string
  readonly expiresAt: NumericDate | undefined
}

/** How many entries are looked at for expiry after each write, so that the dead never pile up. */
const SWEEP_PER_WRITE = 4

/**
 * Creates a Store whose entries live in this process.
 *
 * @param options.clock Decides which entries have expired.
 */
export function createMemoryStore(options: { readonly clock: Clock }): Store {
  const memory = createEntries(options.clock)
  return {
    async get(key) {
      checkKey(key)
      return read(memory.find(key))
    },
    async put(key, value, expiresAt) {
      checkKey(key)
      memory.write(key, serializeValue(value), expiresAt)
    },
    async putIfAbsent(key, value, expiresAt) {
      return commit(memory, [{ op: 'putIfAbsent', key, value, ...expiry(expiresAt) }])
    },
    async replace(key, version, value, expiresAt) {
      return commit(memory, [{ op: 'replace', key, version, value, ...expiry(expiresAt) }])
    },
    async take(key) {
      checkKey(key)
      const found = read(memory.find(key))
      memory.remove(key)
      return found
    },
    async list(prefix, after = '', limit = DEFAULT_LIST_LIMIT) {
      return memory.list(prefix, after, limit)
    },
    async commit(steps) {
      return commit(memory, steps)
    },
  }
}

const expiry = (expiresAt: NumericDate | undefined) => (expiresAt === undefined ? {} : { expiresAt })

function read(entry: Entry | undefined): StoredValue | undefined {
  if (entry === undefined) return undefined
  const value: JsonValue = JSON.parse(entry.text)
  return { value, version: entry.version }
}

type Entries = ReturnType<typeof createEntries>

function commit(memory: Entries, steps: readonly StoreStep[]): boolean {
  checkSteps(steps)
  if (!steps.every((step) => holds(memory.find(step.key), step))) return false
  const texts = steps.map((step) => (step.op === 'remove' ? '' : serializeValue(step.value)))
  steps.forEach((step, at) => {
    if (step.op === 'remove') memory.remove(step.key)
    else memory.write(step.key, texts[at] ?? '', step.expiresAt)
  })
  return true
}

function holds(entry: Entry | undefined, step: StoreStep): boolean {
  if (step.op === 'put') return true
  if (step.op === 'putIfAbsent') return entry === undefined
  if (step.op === 'remove' && step.version === undefined) return true
  return entry !== undefined && entry.version === step.version
}

function createEntries(clock: Clock) {
  const entries = new Map<string, Entry>()
  let writes = 0
  let sweep = entries.entries()

  const alive = (entry: Entry | undefined): entry is Entry =>
    entry !== undefined && (entry.expiresAt === undefined || clock() < entry.expiresAt)

  function sweepSome(): void {
    for (let looked = 0; looked < SWEEP_PER_WRITE; looked += 1) {
      const next = sweep.next()
      if (next.done === true) {
        sweep = entries.entries()
        return
      }
      const [key, entry] = next.value
      if (!alive(entry)) entries.delete(key)
    }
  }

  return {
    find(key: string): Entry | undefined {
      const entry = entries.get(key)
      return alive(entry) ? entry : undefined
    },
    write(key: string, text: string, expiresAt: NumericDate | undefined): void {
      writes += 1
      // Deleted first, so that a rewritten entry moves behind the sweep and its version never returns.
      entries.delete(key)
      entries.set(key, { text, version: String(writes), expiresAt })
      sweepSome()
    },
    remove(key: string): void {
      entries.delete(key)
    },
    list(prefix: string, after: string, limit: number) {
      const keys = [...entries.keys()].filter((key) => key.startsWith(prefix) && key > after).sort()
      const listed = keys.flatMap((key) => {
        const found = read(this.find(key))
        return found === undefined ? [] : [{ key, ...found }]
      })
      return listed.slice(0, limit)
    },
  }
}
