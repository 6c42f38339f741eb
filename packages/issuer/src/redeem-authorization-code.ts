/**
 * Redeeming an authorization code.
 *
 * Owns the use case: the code is marked as used in the commit that makes the tokens, so one redemption wins;
 * any further use ends the grant that came of it.
 *
 * Source: RFC 6749, sections 4.1.2 and 4.1.3; RFC 7636, section 4.6; RFC 9449, section 10; FAPI 2.0 Security
 * Profile, section 5.3.2.1.
 *
 * @module
 */
import { type NumericDate, ProtocolError, type Store, type StoredValue } from '@attache/core'
import {
  type AuthorizationCodeTokenRequest,
  requireBoundKey,
  type TokenResponse,
  verifyPkce,
} from '@attache/oauth'
import type { AuthenticatedClient } from './authenticate-client.js'
import { commitOnce } from './commit-once.js'
import { type GrantTokensDeps, grantTokens } from './grant-tokens.js'
import { namedDatasets, narrowedConfigurations } from './granted-datasets.js'
import { type AuthorizationCodeRecord, migrateAuthorizationCodeRecord } from './pushed-request-record.js'

/** What redeeming needs. */
export interface RedeemAuthorizationCodeDeps extends GrantTokensDeps {
  readonly store: Pick<Store, 'get' | 'commit'>
}

/**
 * Redeems an authorization code.
 *
 * @throws {ProtocolError} `invalid_grant`: unknown, used, expired, of another client, redirect URI, key or
 *   verifier. `invalid_authorization_details`: more than was approved.
 */
export async function redeemAuthorizationCode(
  facts: {
    readonly request: AuthorizationCodeTokenRequest
    readonly client: AuthenticatedClient
    readonly now: NumericDate
  },
  deps: RedeemAuthorizationCodeDeps,
): Promise<TokenResponse> {
  const { request, client, now } = facts
  const key = deps.keys.hashed('authorization-code', request.code)
  const stored = await deps.store.get(key)
  const code = await openCode(stored, client, deps)
  checkBinding(code, facts)
  const configurationIds = narrowedConfigurations(code.configurationIds, request.authorizationDetails, deps)
  const named = code.byDetails || request.authorizationDetails !== undefined
  const datasets = namedDatasets(configurationIds, named, deps)
  const granted = grantTokens({ agent: code.agent, configurationIds, datasets, client, now }, deps)
  const used = { ...code, usedForGrant: granted.grant.id }
  // Remembered as long as its tokens can live, to notice a second use.
  const expiresAt = granted.expiresAt
  const spend = { op: 'replace', key, version: stored?.version ?? '', value: used, expiresAt } as const
  if (await commitOnce(deps.store, client.guards, [spend, ...granted.steps])) return granted.response
  throw deadCode()
}

async function openCode(
  stored: StoredValue | undefined,
  client: AuthenticatedClient,
  deps: RedeemAuthorizationCodeDeps,
): Promise<AuthorizationCodeRecord> {
  const code = stored && migrateAuthorizationCodeRecord(stored.value)
  if (code === undefined || code.clientId !== client.clientId) throw deadCode()
  if (code.usedForGrant === null) return code
  await deps.store.commit([{ op: 'remove', key: deps.keys.of('grant', code.usedForGrant) }])
  throw deadCode()
}

function checkBinding(
  code: AuthorizationCodeRecord,
  facts: {
    readonly request: AuthorizationCodeTokenRequest
    readonly client: AuthenticatedClient
    readonly now: NumericDate
  },
): void {
  const { request, client, now } = facts
  if (code.expiresAt <= now || request.redirectUri !== code.redirectUri) throw deadCode()
  verifyPkce(request.codeVerifier, code.codeChallenge)
  requireBoundKey(code.jkt ?? undefined, client.jkt)
  requireBoundKey(code.instanceJkt ?? undefined, client.instanceJkt)
}

function deadCode(): ProtocolError {
  return new ProtocolError(
    'invalid_grant',
    'The code is not good (any more), or not for this client and redirect_uri.',
  )
}
