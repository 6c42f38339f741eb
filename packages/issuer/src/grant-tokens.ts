/**
 * Turning a grant into tokens.
 *
 * Owns making the records and the answer; the caller commits the steps together with whatever it spends.
 *
 * Source: OpenID4VCI 1.0, sections 6.2 and 13.10; RFC 6749, section 5.1.
 *
 * @module
 */
import {
  type JsonObject,
  type NumericDate,
  type Random,
  randomId,
  randomText,
  type StoreStep,
} from '@attache/core'
import type { TokenResponse } from '@attache/oauth'
import type { AuthenticatedClient } from './authenticate-client.js'
import type { AccessTokenRecord, GrantedDataset, GrantRecord, RefreshTokenRecord } from './grant-record.js'
import type { RecordKeys } from './stored-record.js'

/** What is granted, and to whom. */
export interface NewGrant {
  readonly agent: string
  readonly configurationIds: readonly string[]
  readonly datasets: readonly GrantedDataset[] | null
  readonly client: AuthenticatedClient
  readonly now: NumericDate
}

/** The answer to the client, and the steps that make it true. */
export interface GrantedTokens {
  readonly response: TokenResponse
  readonly steps: readonly StoreStep[]
  readonly grant: GrantRecord
  /** When the last of the tokens ends. */
  readonly expiresAt: NumericDate
}

/** What making tokens needs. */
export interface GrantTokensDeps {
  readonly credentialIssuer: string
  readonly keys: RecordKeys
  readonly random: Random
  readonly accessTokenSeconds: number
  /** Undefined: no refresh tokens. */
  readonly refreshTokenSeconds: number | undefined
  /** Whether token responses name datasets that nobody asked for by details. */
  readonly credentialIdentifiers: boolean
}

// A token that is not bound to a key must not live longer (OpenID4VCI 13.10).
const MAX_BEARER_SECONDS = 300

/** Makes a grant and its first access token. */
export function grantTokens(facts: NewGrant, deps: GrantTokensDeps): GrantedTokens {
  const grant: GrantRecord = {
    v: 1,
    id: randomId(deps.random, 'grt'),
    clientId: facts.client.clientId ?? null,
    instanceJkt: facts.client.instanceJkt ?? null,
    agent: facts.agent,
    configurationIds: facts.configurationIds,
    datasets: facts.datasets,
    grantedAt: facts.now,
  }
  const token = accessToken(grant, facts, deps)
  const refresh = refreshToken(grant, facts.now, deps)
  const expiresAt = refresh?.expiresAt ?? token.expiresAt
  return {
    response: { ...token.response, refreshToken: refresh?.text },
    steps: [
      { op: 'put', key: deps.keys.of('grant', grant.id), value: grant, expiresAt },
      token.step,
      ...(refresh ? [refresh.step] : []),
    ],
    grant,
    expiresAt,
  }
}

/** Makes a refresh token of a grant; undefined where they are off. */
export function refreshToken(
  grant: GrantRecord,
  now: NumericDate,
  deps: GrantTokensDeps,
): { readonly text: string; readonly step: StoreStep; readonly expiresAt: NumericDate } | undefined {
  if (deps.refreshTokenSeconds === undefined) return undefined
  const text = randomText(deps.random)
  const expiresAt = now + deps.refreshTokenSeconds
  const value: RefreshTokenRecord = { v: 1, grantId: grant.id, expiresAt, grantEndsAt: expiresAt }
  return {
    text,
    expiresAt,
    step: { op: 'put', key: deps.keys.hashed('refresh-token', text), value, expiresAt },
  }
}

/** Makes one more access token of a grant. */
export function accessToken(
  grant: GrantRecord,
  facts: { readonly client: Pick<AuthenticatedClient, 'jkt'>; readonly now: NumericDate },
  deps: GrantTokensDeps,
): { readonly response: TokenResponse; readonly step: StoreStep; readonly expiresAt: NumericDate } {
  const jkt = facts.client.jkt ?? null
  const lifetime =
    jkt === null ? Math.min(deps.accessTokenSeconds, MAX_BEARER_SECONDS) : deps.accessTokenSeconds
  const expiresAt = facts.now + lifetime
  const text = randomText(deps.random)
  const record: AccessTokenRecord = { v: 1, grantId: grant.id, jkt, expiresAt }
  return {
    response: {
      accessToken: text,
      tokenType: jkt === null ? 'Bearer' : 'DPoP',
      expiresInSeconds: lifetime,
      authorizationDetails: grant.datasets === null ? undefined : grant.datasets.map(wireDataset),
    },
    step: { op: 'put', key: deps.keys.hashed('access-token', text), value: record, expiresAt },
    expiresAt,
  }
}

function wireDataset(dataset: GrantedDataset): JsonObject {
  return {
    type: 'openid_credential',
    credential_configuration_id: dataset.configurationId,
    credential_identifiers: dataset.identifiers,
  }
}
