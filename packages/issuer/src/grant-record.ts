/**
 * What a wallet was granted, and the tokens that stand for it.
 *
 * Owns the stored forms. Tokens are opaque and found by their hash: revoking a grant ends all of its tokens
 * at once, and a copy of the data folder contains no token.
 *
 * Source: RFC 6749, sections 1.4 and 1.5; OpenID4VCI 1.0, section 6.2.
 *
 * @module
 */
import type { JsonValue, NumericDate } from '@attache/core'
import { z } from 'zod'
import { checkRecordVersion } from './stored-record.js'

/** A credential dataset the wallet may ask for by identifier. */
export type GrantedDataset = { readonly configurationId: string; readonly identifiers: readonly string[] }

/** A stored grant. */
export type GrantRecord = {
  readonly v: 1
  /** `grt_…` */
  readonly id: string
  /** Null after anonymous access. */
  readonly clientId: string | null
  /** Thumbprint of the attested instance key; refresh tokens are bound to it. */
  readonly instanceJkt: string | null
  readonly agent: string
  /** Configurations that may be asked for by `credential_configuration_id`. */
  readonly configurationIds: readonly string[]
  /** Set when the token response had `authorization_details`: then identifiers must be used. */
  readonly datasets: readonly GrantedDataset[] | null
  readonly grantedAt: NumericDate
}

/** A stored access token. */
export type AccessTokenRecord = {
  readonly v: 1
  readonly grantId: string
  /** Thumbprint of the DPoP key; null for a Bearer token. */
  readonly jkt: string | null
  readonly expiresAt: NumericDate
}

/** A stored refresh token. */
export type RefreshTokenRecord = {
  readonly v: 1
  readonly grantId: string
  readonly expiresAt: NumericDate
  /** When the grant ends, however often its tokens are replaced. */
  readonly grantEndsAt: NumericDate
}

const refreshTokenSchema = z.object({
  v: z.literal(1),
  grantId: z.string(),
  expiresAt: z.number(),
  grantEndsAt: z.number(),
})

/** Reads a stored refresh token. */
export function migrateRefreshTokenRecord(value: JsonValue): RefreshTokenRecord {
  return refreshTokenSchema.parse(checkRecordVersion(value))
}

// Built once: building a schema costs more than all it reads in a request.
const grantSchema = z.object({
  v: z.literal(1),
  id: z.string(),
  clientId: z.string().nullable(),
  instanceJkt: z.string().nullable(),
  agent: z.string(),
  configurationIds: z.array(z.string()),
  datasets: z.array(z.object({ configurationId: z.string(), identifiers: z.array(z.string()) })).nullable(),
  grantedAt: z.number(),
})

/** Reads a stored grant. */
export function migrateGrantRecord(value: JsonValue): GrantRecord {
  return grantSchema.parse(checkRecordVersion(value))
}

const accessTokenSchema = z.object({
  v: z.literal(1),
  grantId: z.string(),
  jkt: z.string().nullable(),
  expiresAt: z.number(),
})

/** Reads a stored access token. */
export function migrateAccessTokenRecord(value: JsonValue): AccessTokenRecord {
  return accessTokenSchema.parse(checkRecordVersion(value))
}
