/**
 * Judges a trail: whole, in order, unedited, and as long as a checkpoint says.
 *
 * Works on any sequence of entries, so an exported file is judged far from the store it came from.
 *
 * @module
 */
import type { JsonValue } from '@attache/core'
import { type AuditHead, EMPTY_HEAD, hashEntry, parseAuditEntry } from './audit-entry.js'
import type { Checkpoint } from './checkpoint.js'

/**
 * What is wrong with a trail; stable.
 *
 * - `entry_malformed`: not an entry, or of another trail
 * - `entry_missing`: a number is skipped: an entry was deleted or moved
 * - `entry_changed`: the hash does not fit the content
 * - `chain_broken`: the entry does not follow the one before it
 * - `trail_truncated`: a head or checkpoint speaks of entries that are not there
 * - `checkpoint_mismatch`: the entry a checkpoint speaks of is another one: the chain was made anew
 */
export const AUDIT_PROBLEMS = [
  'entry_malformed',
  'entry_missing',
  'entry_changed',
  'chain_broken',
  'trail_truncated',
  'checkpoint_mismatch',
] as const

/** One of {@link AUDIT_PROBLEMS}. */
export type AuditProblem = (typeof AUDIT_PROBLEMS)[number]

/** The verdict on a trail. */
export type AuditVerdict =
  | { readonly ok: true; readonly head: AuditHead }
  /** `seq`: the first place where the trail is wrong. */
  | { readonly ok: false; readonly problem: AuditProblem; readonly seq: number }

/** What a trail is held against. */
export interface ExpectedTrail {
  readonly trail: string
  /** Verified checkpoints of this trail, in any order. */
  readonly checkpoints: readonly Checkpoint[]
}

/** Verifies entries from the first to the last. */
export async function verifyAuditEntries(
  entries: AsyncIterable<JsonValue> | Iterable<JsonValue>,
  expected: ExpectedTrail,
): Promise<AuditVerdict> {
  const promised = new Map<number, string[]>()
  for (const { seq, hash, trail } of expected.checkpoints) {
    if (trail !== expected.trail) return { ok: false, problem: 'checkpoint_mismatch', seq }
    promised.set(seq, [...(promised.get(seq) ?? []), hash])
  }

  let head = EMPTY_HEAD
  const keepsPromise = () => (promised.get(head.seq) ?? []).every((hash) => hash === head.hash)
  if (!keepsPromise()) return { ok: false, problem: 'checkpoint_mismatch', seq: 0 }
  for await (const value of entries) {
    const next = follow(head, value, expected.trail)
    if (typeof next === 'string') return { ok: false, problem: next, seq: head.seq + 1 }
    head = next
    if (!keepsPromise()) return { ok: false, problem: 'checkpoint_mismatch', seq: head.seq }
  }
  return Math.max(0, ...promised.keys()) > head.seq
    ? { ok: false, problem: 'trail_truncated', seq: head.seq + 1 }
    : { ok: true, head }
}

function follow(head: AuditHead, value: JsonValue, trail: string): AuditHead | AuditProblem {
  const entry = parseAuditEntry(value)
  if (entry === undefined || entry.trail !== trail) return 'entry_malformed'
  if (entry.hash !== hashEntry(entry)) return 'entry_changed'
  if (entry.seq !== head.seq + 1) return 'entry_missing'
  if (entry.prev !== head.hash) return 'chain_broken'
  return { seq: entry.seq, hash: entry.hash }
}
