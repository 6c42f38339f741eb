/**
 * The Token Endpoint.
 *
 * Owns the shell: authenticate the client, parse the form, hand over to the use case of the grant.
 *
 * Source: OpenID4VCI 1.0, section 6; RFC 6749, section 5.
 *
 * @module
 */
import {
  type Clock,
  endpoint,
  json,
  type Log,
  NO_STORE,
  type NumericDate,
  ProtocolError,
  type Random,
  type Route,
  readForm,
} from '@attache/core'
import {
  createTokenResponse,
  OAUTH_ERRORS,
  parseTokenRequest,
  type TokenRequest,
  type TokenResponse,
} from '@attache/oauth'
import { requireOwnResource } from './asked-configurations.js'
import {
  type AuthenticateClientDeps,
  type AuthenticatedClient,
  authenticateClient,
} from './authenticate-client.js'
import { type EndpointUrls, pathOf } from './endpoint-urls.js'

/** Redeems one kind of grant. */
export type RedeemGrant = (facts: {
  readonly request: TokenRequest
  readonly client: AuthenticatedClient
  readonly now: NumericDate
}) => Promise<TokenResponse>

/** What the endpoint needs. */
export interface TokenEndpointDeps extends AuthenticateClientDeps {
  readonly urls: EndpointUrls
  /** By grant type; a grant that is off is not here. */
  readonly grants: ReadonlyMap<TokenRequest['grantType'], RedeemGrant>
  /** `required` wherever only bound tokens are issued. */
  readonly dpop: 'required' | 'optional'
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

const MAX_FORM_BYTES = 65_536

/** The route of the Token Endpoint. */
export function tokenEndpoint(deps: TokenEndpointDeps): Route {
  const url = deps.urls.token
  const handle = endpoint(
    async (request) => {
      const form = await readForm(request, { maxBytes: MAX_FORM_BYTES })
      // Read when the request is there in whole: a slow body must not be judged by an earlier time.
      const now = deps.clock()
      const client = authenticateClient({ headers: request.headers, url, form, proof: deps.dpop, now }, deps)
      const wanted = parseTokenRequest(form)
      requireOwnResource(wanted.resource, deps)
      const redeem = deps.grants.get(wanted.grantType)
      if (redeem === undefined) {
        throw new ProtocolError('unsupported_grant_type', 'This grant type is not offered here.')
      }
      if (form.has('tx_code') && wanted.grantType !== 'pre-authorized_code') {
        throw new ProtocolError('invalid_request', 'tx_code belongs to the pre-authorized code grant only.')
      }
      const response = await redeem({ request: wanted, client, now })
      return json(200, createTokenResponse(response), { ...NO_STORE, ...nonceHeader(deps, now) })
    },
    { ...deps, statuses: OAUTH_ERRORS, event: 'issuer.token' },
  )
  return { method: 'POST', path: pathOf(url), handle }
}

/** A fresh `DPoP-Nonce` where this server asks for them, so that the next request needs no detour. */
function nonceHeader(deps: TokenEndpointDeps, now: NumericDate): Readonly<Record<string, string>> {
  return deps.dpopNonces ? { 'DPoP-Nonce': deps.dpopNonces.issue(now) } : {}
}
