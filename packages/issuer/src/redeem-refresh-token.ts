/**
 * Redeeming a refresh token.
 *
 * Owns the use case: bound to client and client instance key, not to the DPoP key, which may change. Without
 * rotation the token stays the same, so a lost answer costs nothing; with it the old one has a grace.
 *
 * Source: RFC 6749, section 6; OpenID4VCI 1.0, section 14.5; FAPI 2.0 Security Profile, section 5.3.2.1;
 * attestation-based client authentication -11, section 10.3.
 *
 * @module
 */
import { type NumericDate, ProtocolError, type Store, type StoreStep } from '@attache/core'
import { type RefreshTokenRequest, requireBoundKey, type TokenResponse } from '@attache/oauth'
import type { AuthenticatedClient } from './authenticate-client.js'
import { commitOnce } from './commit-once.js'
import {
  type GrantRecord,
  migrateGrantRecord,
  migrateRefreshTokenRecord,
  type RefreshTokenRecord,
} from './grant-record.js'
import { accessToken, type GrantTokensDeps, refreshToken } from './grant-tokens.js'
import { narrowedConfigurations } from './granted-datasets.js'

/** What redeeming needs. */
export interface RedeemRefreshTokenDeps extends GrantTokensDeps {
  readonly store: Pick<Store, 'get' | 'commit'>
  /** The scopes of a grant's configurations. */
  readonly scopesOf: (configurationIds: readonly string[]) => readonly string[]
  /** How long a replaced token goes on working; undefined: tokens are not replaced. */
  readonly refreshRotationGraceSeconds: number | undefined
}

/**
 * Redeems a refresh token.
 *
 * @throws {ProtocolError} `invalid_grant`: unknown, expired, revoked, or of another client or instance.
 *   `invalid_scope`, `invalid_authorization_details`: more than was granted.
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
  // Fewer details than granted change nothing: an access token reaches as far as its grant.
  narrowedConfigurations(grant.configurationIds, request.authorizationDetails, deps)
  const fresh = accessToken(grant, { client, now }, deps)
  const rotated = rotation({ token, text: request.refreshToken, grant, now }, deps)
  if (await commitOnce(deps.store, client.guards, [fresh.step, ...rotated.steps])) {
    return { ...fresh.response, refreshToken: rotated.refreshToken }
  }
  throw new Error('A put cannot be refused.')
}

/** The next refresh token. The grant and all of its tokens end when the first one would have ended. */
function rotation(
  facts: {
    readonly token: RefreshTokenRecord
    readonly text: string
    readonly grant: GrantRecord
    readonly now: NumericDate
  },
  deps: RedeemRefreshTokenDeps,
): { readonly steps: readonly StoreStep[]; readonly refreshToken: string | undefined } {
  const { token, text, grant, now } = facts
  const grace = deps.refreshRotationGraceSeconds
  if (grace === undefined) return { steps: [], refreshToken: undefined }
  const next = refreshToken(grant, now, { ...deps, refreshTokenSeconds: token.grantEndsAt - now })
  // A token in its grace may be used again, and keeps the end it has.
  const expiresAt = Math.min(token.expiresAt, now + grace)
  const value = { ...token, expiresAt }
  const replaced: StoreStep = { op: 'put', key: deps.keys.hashed('refresh-token', text), value, expiresAt }
  return { steps: next ? [next.step, replaced] : [], refreshToken: next?.text }
}

function deadToken(): ProtocolError {
  return new ProtocolError(
    'invalid_grant',
    'The refresh token is not good (any more), or not for this client.',
  )
}
