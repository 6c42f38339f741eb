/**
 * An open Credential Offer, as it is kept until it is redeemed or expires.
 *
 * Owns the stored form and the one secret behind an offer. The secret is in the offer's URL; what the wallet
 * sends later (pre-authorized code, or `issuer_state`) is derived from it, and the store knows only a hash
 * of that. So neither the data folder nor a listing of it redeems an offer.
 *
 * Source: OpenID4VCI 1.0, sections 4.1.1 and 4.1.3.
 *
 * @module
 */
import type { JsonValue, NumericDate } from '@attache/core'
import { z } from 'zod'
import { checkRecordVersion, textHash } from './stored-record.js'

/** A stored offer. */
export type OfferRecord = {
  readonly v: 1
  /** `off_…`, for logs and the management API. */
  readonly id: string
  readonly agent: string
  readonly configurationIds: readonly string[]
  readonly grant: 'pre-authorized_code' | 'authorization_code'
  readonly txCode: {
    readonly inputMode: 'numeric' | 'text'
    readonly length: number
    readonly description: string | null
    readonly hash: string
    /** Wrong codes that are still forgiven. */
    readonly attemptsLeft: number
  } | null
  readonly expiresAt: NumericDate
}

// Built once: building a schema costs more than all it reads in a request.
const txCodeSchema = z.object({
  inputMode: z.enum(['numeric', 'text']),
  length: z.number(),
  description: z.string().nullable(),
  hash: z.string(),
  attemptsLeft: z.number(),
})
const offerSchema = z.object({
  v: z.literal(1),
  id: z.string(),
  agent: z.string(),
  configurationIds: z.array(z.string()),
  grant: z.enum(['pre-authorized_code', 'authorization_code']),
  txCode: txCodeSchema.nullable(),
  expiresAt: z.number(),
})

/** Reads a stored offer. */
export function migrateOfferRecord(value: JsonValue): OfferRecord {
  return offerSchema.parse(checkRecordVersion(value))
}

/** The pre-authorized code or `issuer_state` of the offer whose URL ends in this secret. */
export function offerHandle(secret: string): string {
  return textHash(`offer ${secret}`)
}
