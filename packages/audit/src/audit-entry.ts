/**
 * The audit entry: what is written down, and the hash that chains it to the one before.
 *
 * The hash is SHA-256 over the canonical JSON (members sorted, no whitespace) of every member but `hash`,
 * `prev` and `trail` among them: an entry cannot be changed, moved or taken to another trail unnoticed.
 * Facts name things (ids, codes, counts), never a claim value, a token or a key; the caller sees to that.
 *
 * @module
 */
import {
  canonicalJson,
  encodeBase64url,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  type NumericDate,
  utf8,
} from '@attache/core'
import { sha256 } from '@attache/keys'
import { z } from 'zod'

/** Number of the stored format. */
export const AUDIT_ENTRY_VERSION = 1 as const

/** What stands where the first entry of a trail has no predecessor. */
export const GENESIS_HASH = 'A'.repeat(43)

/** What a caller reports. */
export interface AuditEvent {
  /** Room and event, for example `issuer.credential_issued`. */
  readonly kind: string
  /** Id of what it happened to: an agent, an offer, a credential. */
  readonly subject: string
  readonly facts: JsonObject
}

/** One entry of a trail. */
export interface AuditEntry extends AuditEvent {
  readonly v: typeof AUDIT_ENTRY_VERSION
  readonly trail: string
  /** Place in the trail, from 1, without gaps. */
  readonly seq: number
  /** Hash of the entry before. */
  readonly prev: string
  readonly time: NumericDate
  /** base64url SHA-256 of this entry. */
  readonly hash: string
}

/** The last entry of a trail. */
export interface AuditHead {
  readonly seq: number
  readonly hash: string
}

/** The head of a trail without entries. */
export const EMPTY_HEAD: AuditHead = { seq: 0, hash: GENESIS_HASH }

/** Makes the entry that follows a head. */
export function chainEntry(
  head: AuditHead,
  event: AuditEvent,
  facts: { readonly trail: string; readonly time: NumericDate },
): AuditEntry {
  const entry = {
    v: AUDIT_ENTRY_VERSION,
    trail: facts.trail,
    seq: head.seq + 1,
    prev: head.hash,
    time: facts.time,
    kind: event.kind,
    subject: event.subject,
    facts: event.facts,
  }
  return { ...entry, hash: hashEntry(entry) }
}

/** The hash an entry should carry. */
export function hashEntry(entry: Omit<AuditEntry, 'hash'>): string {
  const { v, trail, seq, prev, time, kind, subject, facts } = entry
  const text = canonicalJson({ v, trail, seq, prev, time, kind, subject, facts })
  return encodeBase64url(sha256(utf8(text)))
}

/** An entry as stored and exported. */
export function entryToJson(entry: AuditEntry): JsonObject {
  const { v, trail, seq, prev, time, kind, subject, facts, hash } = entry
  return { v, trail, seq, prev, time, kind, subject, facts, hash }
}

// Built once: building a schema costs a hundred times what it costs to use it.
const entrySchema = z.strictObject({
  v: z.literal(AUDIT_ENTRY_VERSION),
  trail: z.string(),
  seq: z.int().positive(),
  prev: z.string(),
  time: z.int(),
  kind: z.string(),
  subject: z.string(),
  facts: z.custom<JsonObject>(isJsonObject),
  hash: z.string(),
})

/**
 * Parses a stored or exported entry.
 *
 * @returns `undefined` when it is none: for a verifier that is a finding, not a fault. Unknown members make it
 *   none, because the hash would not cover them.
 */
export function parseAuditEntry(value: JsonValue): AuditEntry | undefined {
  const parsed = entrySchema.safeParse(value)
  return parsed.success ? parsed.data : undefined
}
