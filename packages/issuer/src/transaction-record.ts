/**
 * A credential that was asked for and is not decided yet.
 *
 * Owns the stored form. The keys to bind to are kept until the credential is fetched, and no longer.
 *
 * Source: OpenID4VCI 1.0, sections 8.3 and 9.
 *
 * @module
 */
import type { JsonValue, NumericDate } from '@attache/core'
import { type PublicJwk, parsePublicJwk } from '@attache/keys'
import { z } from 'zod'
import { checkRecordVersion } from './stored-record.js'

/** A stored transaction. */
export type TransactionRecord = {
  readonly v: 1
  /** `dfr_…`, for the operator; the wallet's `transaction_id` is another secret. */
  readonly id: string
  readonly grantId: string
  readonly template: string
  readonly agent: string
  readonly holderKeys: readonly PublicJwk[]
  readonly state: 'pending' | 'approved' | 'denied'
  readonly requestedAt: NumericDate
  readonly expiresAt: NumericDate
}

// Built once: building a schema costs more than all it reads in a request.
const transactionSchema = z.object({
  v: z.literal(1),
  id: z.string(),
  grantId: z.string(),
  template: z.string(),
  agent: z.string(),
  holderKeys: z.array(z.unknown()),
  state: z.enum(['pending', 'approved', 'denied']),
  requestedAt: z.number(),
  expiresAt: z.number(),
})

/** Reads a stored transaction. */
export function migrateTransactionRecord(value: JsonValue): TransactionRecord {
  const parsed = transactionSchema.parse(checkRecordVersion(value))
  return { ...parsed, holderKeys: parsed.holderKeys.map(parsePublicJwk) }
}
