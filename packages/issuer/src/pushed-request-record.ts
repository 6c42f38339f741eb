/**
 * A pushed authorization request, and the code that comes of it.
 *
 * Owns the stored forms. Both are found by the hash of their secret.
 *
 * Source: RFC 9126, sections 2 and 4; RFC 6749, section 4.1.2; OpenID4VCI 1.0, section 5.
 *
 * @module
 */
import type { JsonValue, NumericDate } from '@attache/core'
import { z } from 'zod'
import { checkRecordVersion } from './stored-record.js'

/** What was asked for, by whom, and what it is bound to. */
export type AskedAuthorization = {
  readonly clientId: string
  readonly instanceJkt: string | null
  /** Thumbprint of the DPoP key that must redeem the code. */
  readonly jkt: string | null
  readonly redirectUri: string
  readonly codeChallenge: string
  readonly configurationIds: readonly string[]
  /** Asked for by authorization details: the token response names datasets. */
  readonly byDetails: boolean
}

/** A stored pushed request. */
export type PushedRequestRecord = AskedAuthorization & {
  readonly v: 1
  readonly state: string | null
  /** Agent of the offer whose `issuer_state` came along. */
  readonly offeredAgent: string | null
  /** The browser must arrive before; whoever has arrived may finish until `expiresAt`. */
  readonly arriveBy: NumericDate
  readonly signInAttemptsLeft: number
  readonly expiresAt: NumericDate
}

/** A stored authorization code. */
export type AuthorizationCodeRecord = AskedAuthorization & {
  readonly v: 1
  readonly agent: string
  readonly expiresAt: NumericDate
  /** Set when the code was redeemed: a second use ends this grant. */
  readonly usedForGrant: string | null
}

// Built once: building a schema costs more than all it reads in a request.
const asked = {
  v: z.literal(1),
  clientId: z.string(),
  instanceJkt: z.string().nullable(),
  jkt: z.string().nullable(),
  redirectUri: z.string(),
  codeChallenge: z.string(),
  configurationIds: z.array(z.string()),
  byDetails: z.boolean(),
  expiresAt: z.number(),
}
const pushedRequestSchema = z.object({
  ...asked,
  state: z.string().nullable(),
  offeredAgent: z.string().nullable(),
  arriveBy: z.number(),
  signInAttemptsLeft: z.number(),
})
const codeSchema = z.object({ ...asked, agent: z.string(), usedForGrant: z.string().nullable() })

/** Reads a stored pushed request. */
export function migratePushedRequestRecord(value: JsonValue): PushedRequestRecord {
  return pushedRequestSchema.parse(checkRecordVersion(value))
}

/** Reads a stored authorization code. */
export function migrateAuthorizationCodeRecord(value: JsonValue): AuthorizationCodeRecord {
  return codeSchema.parse(checkRecordVersion(value))
}
