/**
 * An audit trail over a store: append, checkpoint, verify, export.
 *
 * Appending is one commit: the head moves and the entries are new, or nothing happens. Events that arrive
 * together are chained together and share that commit; another process that was faster makes it try again.
 *
 * Baked into stored data: `audit/head/<trail>` and `audit/entry/<trail>/<seq, 12 digits>`.
 *
 * @module
 */
import {
  type Clock,
  configurationError,
  isJsonObject,
  type JsonValue,
  member,
  type Store,
  type StoredValue,
  type StoreStep,
  storeKey,
} from '@attache/core'
import type { Signer } from '@attache/keys'
import {
  AUDIT_ENTRY_VERSION,
  type AuditEntry,
  type AuditEvent,
  type AuditHead,
  chainEntry,
  EMPTY_HEAD,
  entryToJson,
  parseAuditEntry,
} from './audit-entry.js'
import { signCheckpoint, verifyCheckpoint } from './checkpoint.js'
import { type AuditVerdict, verifyAuditEntries } from './verify-trail.js'

/** Which trail. */
export interface AuditTrailOptions {
  readonly tenant: string
  /** One segment: letters, digits, `-`, `_`. @default `main` */
  readonly trail?: string
}

/** What a trail is kept with. */
export interface AuditTrailDeps {
  readonly store: Pick<Store, 'get' | 'list' | 'commit'>
  /** Signs checkpoints. */
  readonly signer: Signer
  readonly clock: Clock
}

/** A trail. */
export interface AuditTrail {
  /** Writes an event down; resolves when it is durable. */
  append(event: AuditEvent): Promise<AuditEntry>
  /** The signed head: keep it where whoever can edit the store cannot reach. */
  checkpoint(): Promise<string>
  /**
   * Judges the whole trail.
   *
   * @param options.checkpoints Checkpoints kept elsewhere; without any, a cut-off end that took the head with it
   *   cannot be seen.
   * @throws {VerificationError} `jws_*`, `audit_checkpoint_malformed`: a checkpoint is not this trail's signer's.
   */
  verify(options?: { readonly checkpoints?: readonly string[] }): Promise<AuditVerdict>
  /** Every entry in order, from `after` (a `seq`) on. @throws {Error} a stored entry cannot be read. */
  export(after?: number): AsyncIterable<AuditEntry>
}

const MAX_EVENTS_PER_COMMIT = 256
const MAX_ATTEMPTS = 64
const PAGE = 500

/**
 * Creates a trail.
 *
 * @throws {TypeError} `audit_trail_name`: the name is not one plain segment.
 */
export function createAuditTrail(options: AuditTrailOptions, deps: AuditTrailDeps): AuditTrail {
  const trail = options.trail ?? 'main'
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(trail)) {
    throw configurationError('audit_trail_name', 'An audit trail is named by letters, digits, - and _.')
  }
  const place: Place = { tenant: options.tenant, trail }

  return {
    append: createAppender(place, deps),
    async checkpoint() {
      const { seq, hash } = readHead(await deps.store.get(headKey(place)))
      return signCheckpoint({ trail, seq, hash, iat: deps.clock() }, deps.signer)
    },
    async verify({ checkpoints = [] } = {}) {
      const { publicJwk: key, alg } = deps.signer
      const verified = checkpoints.map((text) => verifyCheckpoint(text, { key, algorithms: [alg] }))
      // Read first: entries that are appended meanwhile only make the trail longer than the head says.
      const head = readHead(await deps.store.get(headKey(place)))
      const ownHead = head.seq === 0 ? [] : [{ ...head, trail, iat: 0 }]
      return verifyAuditEntries(storedValues(place, deps.store, 0), {
        trail,
        checkpoints: [...verified, ...ownHead],
      })
    },
    export: (after = 0) => exportEntries(place, deps.store, after),
  }
}

interface Place {
  readonly tenant: string
  readonly trail: string
}

const headKey = ({ tenant, trail }: Place) => storeKey({ tenant, room: 'audit', kind: 'head', id: trail })
const entryKey = ({ tenant, trail }: Place, seq: number) =>
  storeKey({ tenant, room: 'audit', kind: 'entry', id: `${trail}/${String(seq).padStart(12, '0')}` })

interface Waiting {
  readonly event: AuditEvent
  readonly resolve: (entry: AuditEntry) => void
  readonly reject: (error: unknown) => void
}

function createAppender(place: Place, deps: AuditTrailDeps): AuditTrail['append'] {
  let waiting: Waiting[] = []
  let running = false

  async function run(): Promise<void> {
    running = true
    while (waiting.length > 0) {
      const group = waiting.slice(0, MAX_EVENTS_PER_COMMIT)
      waiting = waiting.slice(group.length)
      try {
        const events = group.map(({ event }) => event)
        const entries = await appendGroup(place, events, deps)
        group.forEach(({ resolve, reject }, at) => {
          const entry = entries[at]
          if (entry === undefined) reject(new Error('An audit entry is missing from its group.'))
          else resolve(entry)
        })
      } catch (error) {
        for (const { reject } of group) reject(error)
      }
    }
    running = false
  }

  return (event) =>
    new Promise((resolve, reject) => {
      waiting.push({ event, resolve, reject })
      if (!running) void run()
    })
}

async function appendGroup(
  place: Place,
  events: readonly AuditEvent[],
  deps: AuditTrailDeps,
): Promise<readonly AuditEntry[]> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const stored = await deps.store.get(headKey(place))
    const time = deps.clock()
    const entries: AuditEntry[] = []
    let head = readHead(stored)
    for (const event of events) {
      const entry = chainEntry(head, event, { trail: place.trail, time })
      entries.push(entry)
      head = entry
    }
    if (await deps.store.commit([headStep(place, stored, head), ...entries.map(entryStep(place))]))
      return entries
  }
  throw new Error('The audit trail moved at every attempt to append to it.')
}

function headStep(place: Place, stored: StoredValue | undefined, { seq, hash }: AuditHead): StoreStep {
  const key = headKey(place)
  const value = { v: AUDIT_ENTRY_VERSION, seq, hash }
  return stored === undefined
    ? { op: 'putIfAbsent', key, value }
    : { op: 'replace', key, version: stored.version, value }
}

const entryStep =
  (place: Place) =>
  (entry: AuditEntry): StoreStep => ({
    op: 'putIfAbsent',
    key: entryKey(place, entry.seq),
    value: entryToJson(entry),
  })

function readHead(stored: StoredValue | undefined): AuditHead {
  if (stored === undefined) return EMPTY_HEAD
  const { value } = stored
  const seq = isJsonObject(value) ? member(value, 'seq') : undefined
  const hash = isJsonObject(value) ? member(value, 'hash') : undefined
  if (typeof seq === 'number' && typeof hash === 'string') return { seq, hash }
  throw new Error('The head of the audit trail cannot be read.')
}

async function* storedValues(
  place: Place,
  store: Pick<Store, 'list'>,
  after: number,
): AsyncGenerator<JsonValue> {
  const prefix = entryKey(place, 0).slice(0, -12)
  let last = entryKey(place, after)
  for (;;) {
    const page = await store.list(prefix, last, PAGE)
    for (const { value } of page) yield value
    const end = page.at(-1)
    if (end === undefined || page.length < PAGE) return
    last = end.key
  }
}

async function* exportEntries(
  place: Place,
  store: Pick<Store, 'list'>,
  after: number,
): AsyncGenerator<AuditEntry> {
  for await (const value of storedValues(place, store, after)) {
    const entry = parseAuditEntry(value)
    if (entry === undefined) throw new Error('A stored audit entry cannot be read: verify the trail.')
    yield entry
  }
}
