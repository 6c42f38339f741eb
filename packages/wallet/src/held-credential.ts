/**
 * A held credential: the copies of one credential that one agent received, each bound to a key of its own.
 *
 * Owns the record, its parser with migration, and the order in which copies are used. What is in a copy was
 * verified before it came here.
 *
 * Source: OpenID4VCI 1.0, sections 3.3.2 and 14.6; OpenID4VP 1.0, section 15.5.
 *
 * @module
 */
import {
  isJsonValue,
  type JsonObject,
  type JsonValue,
  member,
  type NumericDate,
  VerificationError,
} from '@attache/core'
import { z } from 'zod'
import type { LocalName } from './type-names.js'

/** One copy: the credential as issued, and the name of its key. */
export interface CredentialCopy {
  readonly id: string
  /** Compact SD-JWT with all Disclosures, byte for byte as issued. */
  readonly credential: string
  /** Absent for a credential that is bound to no key. */
  readonly keyRef?: string | undefined
  /** All claims, Disclosures applied. */
  readonly claims: JsonObject
  /** Where its status is published. */
  readonly status?: { readonly uri: string; readonly index: number } | undefined
}

/** A credential, as the wallet keeps it. */
export interface HeldCredential {
  readonly id: string
  readonly credentialIssuer: string
  readonly configurationId: string
  readonly vct: string
  /** Authority key identifiers of the issuer's chain, base64url. */
  readonly authorityKeyIds: readonly string[]
  readonly receivedAt: NumericDate
  readonly expiresAt?: NumericDate | undefined
  readonly copies: readonly CredentialCopy[]
  /** Whether a copy may be shown more than once. */
  readonly use: 'once' | 'reuse'
  /** What the status list said last; `unverified`: it was never reached. */
  readonly state: 'active' | 'suspended' | 'revoked' | 'unverified'
  /** When the status list said so; absent where it was never reached, or before this was written down. */
  readonly lookedAt?: NumericDate | undefined
  /** What the issuer's metadata calls it, per language; absent in older records. */
  readonly names?: readonly LocalName[] | undefined
  /** What a later issuance without a person needs. */
  readonly renewal?: RenewalGrant | undefined
}

/**
 * A credential without what is in it: enough to choose it, to renew it in time and to show it to the operator.
 * Cards stay in memory; claims, copies and tokens do not.
 */
export interface CredentialCard
  extends Pick<
    HeldCredential,
    | 'id'
    | 'credentialIssuer'
    | 'configurationId'
    | 'vct'
    | 'receivedAt'
    | 'expiresAt'
    | 'use'
    | 'state'
    | 'lookedAt'
  > {
  readonly copyIds: readonly string[]
  readonly names: readonly LocalName[]
  /** `vct#integrity` of the credential. */
  readonly vctIntegrity: string | undefined
  /** Whether a status list speaks of it. */
  readonly hasStatus: boolean
  /** Whether it can be had again without a person. */
  readonly renewable: boolean
}

/** A refresh token, and where it counts. */
export interface RenewalGrant {
  readonly authorizationServer: string
  readonly refreshToken: string
  readonly scope?: string | undefined
  readonly credentialIdentifiers?: readonly string[] | undefined
}

/** Version of the record written here. */
const RECORD_VERSION = 1

/** Writes the record. */
export function writeHeldCredential(held: HeldCredential): JsonValue {
  const written: unknown = JSON.parse(JSON.stringify({ ...held, v: RECORD_VERSION }))
  return isJsonValue(written) ? written : null
}

// Built once: an agent's credentials are all read for every presentation, and building costs far more than reading.
const text = z.string().min(1)
const json = z.custom<JsonObject>(
  (found) => typeof found === 'object' && found !== null && isJsonValue(found),
)
const copySchema = z.object({
  id: text,
  credential: text,
  keyRef: text.optional(),
  claims: json,
  status: z.object({ uri: text, index: z.number() }).optional(),
})
const recordSchema = z.object({
  v: z.number(),
  id: text,
  credentialIssuer: text,
  configurationId: text,
  vct: text,
  authorityKeyIds: z.array(text),
  receivedAt: z.number(),
  expiresAt: z.number().optional(),
  copies: z.array(copySchema),
  use: z.enum(['once', 'reuse']),
  state: z.enum(['active', 'suspended', 'revoked', 'unverified']),
  lookedAt: z.number().optional(),
  names: z.array(z.object({ locale: z.string(), name: z.string() })).optional(),
  renewal: z
    .object({
      authorizationServer: text,
      refreshToken: text,
      scope: text.optional(),
      credentialIdentifiers: z.array(text).optional(),
    })
    .optional(),
})

/**
 * Reads the record.
 *
 * @throws {VerificationError} `record_version_unknown`, `record_unreadable`
 */
export function parseHeldCredential(value: JsonValue): HeldCredential {
  const parsed = recordSchema.safeParse(value)
  if (!parsed.success) throw new VerificationError('record_unreadable', 'A credential record is malformed.')
  const { v, ...held } = parsed.data
  if (v > RECORD_VERSION) {
    throw new VerificationError(
      'record_version_unknown',
      'A credential record was written by a later release.',
    )
  }
  return held
}

/** The card of a credential. */
export function cardOf(held: HeldCredential): CredentialCard {
  const { id, credentialIssuer, configurationId, vct, receivedAt, expiresAt, use, state, lookedAt } = held
  const integrity = member(held.copies[0]?.claims ?? {}, 'vct#integrity')
  return {
    ...{ id, credentialIssuer, configurationId, vct, receivedAt, expiresAt, use, state, lookedAt },
    copyIds: held.copies.map((copy) => copy.id),
    names: held.names ?? [],
    vctIntegrity: typeof integrity === 'string' ? integrity : undefined,
    hasStatus: held.copies.some(({ status }) => status !== undefined),
    renewable: held.renewal !== undefined,
  }
}

/**
 * @returns Whether the credential may be shown at this time, once its list was asked. A suspension may have ended,
 *   so the last word on it does not count; a revocation is final.
 */
export function isUsable(held: CredentialCard, now: NumericDate): boolean {
  const valid = held.expiresAt === undefined || held.expiresAt > now
  return valid && held.state !== 'revoked'
}

/** The order in which credentials are offered to a query: valid longest first, then the oldest. */
export function byPreference(a: CredentialCard, b: CredentialCard): number {
  const expiry = (b.expiresAt ?? Number.MAX_SAFE_INTEGER) - (a.expiresAt ?? Number.MAX_SAFE_INTEGER)
  return expiry || a.receivedAt - b.receivedAt || (a.id < b.id ? -1 : 1)
}
