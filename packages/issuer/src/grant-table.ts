/**
 * Which grants the Token Endpoint redeems, and with what.
 *
 * Source: RFC 6749, section 5.2 (`unsupported_grant_type`); OpenID4VCI 1.0, section 6.
 *
 * @module
 */
import type { TokenRequest } from '@attache/oauth'
import type { CredentialTemplate } from './credential-template.js'
import type { IssuerDeps, IssuerLifetimes, IssuerOptions } from './issuer-options.js'
import { redeemAuthorizationCode } from './redeem-authorization-code.js'
import { redeemPreAuthorizedCode } from './redeem-pre-authorized-code.js'
import { redeemRefreshToken } from './redeem-refresh-token.js'
import type { RecordKeys } from './stored-record.js'
import type { RedeemGrant } from './token-endpoint.js'

/** The grants that are on, by type. */
export function grantTable(
  options: IssuerOptions,
  deps: IssuerDeps & {
    readonly keys: RecordKeys
    readonly lifetimes: IssuerLifetimes
    readonly templates: ReadonlyMap<string, CredentialTemplate>
  },
): ReadonlyMap<TokenRequest['grantType'], RedeemGrant> {
  const { refreshTokenSeconds } = options
  const redeemDeps = {
    ...deps,
    credentialIssuer: options.credentialIssuer,
    accessTokenSeconds: deps.lifetimes.accessToken,
    refreshTokenSeconds,
    refreshRotationGraceSeconds: options.refreshRotationGraceSeconds,
    credentialIdentifiers: options.credentialIdentifiers ?? false,
    scopesOf: (ids: readonly string[]) => ids.flatMap((id) => deps.templates.get(id)?.scope ?? []),
  }
  const all: Readonly<Record<TokenRequest['grantType'], RedeemGrant>> = {
    'pre-authorized_code': async ({ request, ...facts }) => {
      if (request.grantType !== 'pre-authorized_code') throw mixedUp()
      return redeemPreAuthorizedCode({ request, ...facts }, redeemDeps)
    },
    authorization_code: async ({ request, ...facts }) => {
      if (request.grantType !== 'authorization_code') throw mixedUp()
      return redeemAuthorizationCode({ request, ...facts }, redeemDeps)
    },
    refresh_token: async ({ request, ...facts }) => {
      if (request.grantType !== 'refresh_token') throw mixedUp()
      return redeemRefreshToken({ request, ...facts }, redeemDeps)
    },
  }
  const on: TokenRequest['grantType'][] = [...options.grants]
  if (refreshTokenSeconds !== undefined) on.push('refresh_token')
  return new Map(on.map((type) => [type, all[type]]))
}

function mixedUp(): Error {
  return new Error('The grant table is mixed up.')
}
