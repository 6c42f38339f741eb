/**
 * Redeeming a refresh token.
 *
 * Owns the use case: bound to client and client instance key, not to the DPoP key, which may change. No
 * rotation: the token stays the same, so a lost answer costs nothing.
 *
 * Source: RFC 6749, section 6; OpenID4VCI 1.0, section 14.5; FAPI 2.0 Security Profile, section 5.3.2.1;
 * attestation-based client authentication -11, section 10.3.
 *
 * @module
 */
import { type NumericDate, ProtocolError, type Store } from '@attache/core'
import { type RefreshTokenRequest, requireBoundKey, type TokenResponse } from '@attache/oauth'
import type { AuthenticatedClient } from './authenticate-client.js'
import { commitOnce } from './commit-once.js'
import { migrateGrantRecord, migrateRefreshTokenRecord } from './grant-record.js'
import { accessToken, type GrantTokensDeps } from './grant-tokens.js'

/** What redeeming needs. */
export interface RedeemRefreshTokenDeps extends GrantTokensDeps {
  readonly store: Pick<Store, 'get' | 'commit'>
  /** The scopes of a grant's configurations. */
  readonly scopesOf: (configurationIds: readonly string[]) => readonly string[]
}

/**
 * Redeems a refresh token.
 *
 * @throws {ProtocolError} `invalid_grant`: unknown, expired, revoked, or of another client or instance.
 *   `invalid_scope`: more than was granted.
 */
export async function redeemRefreshToken(
  facts: {
    readonly request: RefreshTokenRequest
    readonly client: AuthenticatedClient
    readonly now: NumericDate
  },
  deps: RedeemRefreshTokenDeps,
): Promise<TokenResponse> {
  const { request, client, now } = facts
  const stored = await deps.store.get(deps.keys.hashed('refresh-token', request.refreshToken))
  const token = stored && migrateRefreshTokenRecord(stored.value)
  const storedGrant = token && (await deps.store.get(deps.keys.of('grant', token.grantId)))
  if (token === undefined || storedGrant === undefined || token.expiresAt <= now) throw deadToken()
  const grant = migrateGrantRecord(storedGrant.value)
  if (grant.clientId !== (client.clientId ?? null)) throw deadToken()
  requireBoundKey(grant.instanceJkt ?? undefined, client.instanceJkt)
  const granted = deps.scopesOf(grant.configurationIds)
  if (request.scope?.split(' ').some((scope) => !granted.includes(scope))) {
    throw new ProtocolError('invalid_scope', 'The scope is wider than what was granted.')
  }
  const fresh = accessToken(grant, { client, now }, deps)
  if (await commitOnce(deps.store, client.guards, [fresh.step])) return fresh.response
  throw new Error('A put cannot be refused.')
}

function deadToken(): ProtocolError {
  return new ProtocolError(
    'invalid_grant',
    'The refresh token is not good (any more), or not for this client.',
  )
}
