/**
 * Obtaining and refreshing the access token of an issuance.
 *
 * Owns the three token requests of a wallet and what of the answer counts. A Transaction Code is sent exactly
 * when the offer asks for one, and never tried twice.
 *
 * Source: OpenID4VCI 1.0, sections 6.1 to 6.3; RFC 9449, section 5; HAIP 1.0, section 4.4.1.
 *
 * @module
 */
import { type JsonObject, type NumericDate, VerificationError } from '@attache/core'
import {
  createTokenRequest,
  parseErrorResponse,
  parseTokenResponse,
  type TokenRequest,
  type TokenResponse,
} from '@attache/oauth'
import { CREDENTIAL_AUTHORIZATION_DETAIL, parseCredentialAuthorizationDetail } from '@attache/openid4vci'
import { abort, abortWith, serverError } from './abort.js'
import { type AuthorizationServerCallDeps, callAuthorizationServer } from './authorization-server-call.js'
import { refreshChallenge, requireAttestationSupport } from './client-authentication.js'
import type { ClientInstance } from './client-instance.js'
import type { IssuancePlan } from './plan-issuance.js'

/** A token for the credential endpoint, bound to the agent's DPoP key at its server. */
export interface IssuanceToken {
  readonly accessToken: string
  readonly expiresAt?: NumericDate | undefined
  readonly refreshToken?: string | undefined
  readonly scope?: string | undefined
  /** By configuration id; empty when the server named none. */
  readonly credentialIdentifiers: ReadonlyMap<string, readonly string[]>
}

/** What the caller chose; client and addresses come from the plan. */
export type IssuanceTokenRequest =
  | {
      readonly grantType: 'pre-authorized_code'
      readonly preAuthorizedCode: string
      readonly txCode?: string | undefined
    }
  | {
      readonly grantType: 'authorization_code'
      readonly code: string
      readonly codeVerifier: string
      readonly redirectUri: string
      readonly resource?: string | undefined
      readonly detailsRequested: boolean
    }
  | { readonly grantType: 'refresh_token'; readonly refreshToken: string }

/**
 * Requests a token.
 *
 * @throws {VerificationError} `invalid_grant` (wrong or used code), `client_auth`, `not_sender_constrained`,
 *   `token_response`; any other error code of the server as `token_response`, its code in the message.
 */
export async function requestIssuanceToken(
  facts: {
    readonly plan: IssuancePlan
    readonly client: ClientInstance
    readonly request: IssuanceTokenRequest
    readonly now: NumericDate
  },
  deps: AuthorizationServerCallDeps,
): Promise<IssuanceToken> {
  const { plan, client, request, now } = facts
  const { tokenEndpoint } = plan.server
  if (tokenEndpoint === undefined) throw abort('metadata')
  await abortWith('client_auth', async () => {
    requireAttestationSupport(plan.server)
    await refreshChallenge(client, plan.server, deps)
  })

  const form = createTokenRequest(wireRequest(request, client.clientId))
  const { status, body } = await abortWith('token_response', () =>
    callAuthorizationServer({ url: tokenEndpoint, form, client }, deps),
  )
  if (status !== 200) throw refusedGrant(parseErrorResponse(body).error)
  const response = await abortWith(
    ({ code }) => (code === 'token_type_not_dpop' ? 'not_sender_constrained' : 'token_response'),
    () => parseTokenResponse(body, { dpopBound: true }),
  )
  return tokenOf(response, request, now)
}

function wireRequest(request: IssuanceTokenRequest, clientId: string): TokenRequest {
  if (request.grantType !== 'authorization_code') return { ...request, clientId }
  const { detailsRequested: _only, ...rest } = request
  return { ...rest, clientId }
}

function tokenOf(response: TokenResponse, request: IssuanceTokenRequest, now: NumericDate): IssuanceToken {
  const credentialIdentifiers = identifiersOf(response.authorizationDetails ?? [])
  if (
    request.grantType === 'authorization_code' &&
    request.detailsRequested &&
    credentialIdentifiers.size === 0
  ) {
    throw abort('token_response')
  }
  const { expiresInSeconds } = response
  return {
    accessToken: response.accessToken,
    expiresAt: expiresInSeconds === undefined ? undefined : now + expiresInSeconds,
    // A server that rotates sends a new one; one that does not leaves the old one good.
    refreshToken:
      response.refreshToken ?? (request.grantType === 'refresh_token' ? request.refreshToken : undefined),
    scope: response.scope,
    credentialIdentifiers,
  }
}

function identifiersOf(details: readonly JsonObject[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>()
  for (const detail of details) {
    if (detail['type'] !== CREDENTIAL_AUTHORIZATION_DETAIL) continue
    const { credentialConfigurationId, credentialIdentifiers } = parseCredentialAuthorizationDetail(detail)
    if (credentialIdentifiers !== undefined) found.set(credentialConfigurationId, credentialIdentifiers)
  }
  return found
}

function refusedGrant(error: string): VerificationError {
  if (error === 'invalid_grant' || error === 'invalid_tx_code') return abort('invalid_grant')
  if (error === 'invalid_client' || error === 'invalid_client_attestation' || error.startsWith('use_')) {
    return abort('client_auth')
  }
  const cause = new VerificationError(serverError(error), 'The token endpoint answered with this error.')
  return abort('token_response', cause)
}
