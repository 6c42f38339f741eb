/**
 * The token endpoint.
 *
 * Source: RFC 6749, sections 3.2 and 4.1.3; RFC 9449, section 5.
 *
 * @module
 */
import { type Clock, endpoint, json, type Log, NO_STORE, type Route, readForm } from '@attache/core'
import { createTokenResponse, OAUTH_ERRORS, parseTokenRequest } from '@attache/oauth'
import { authenticateCaller, type ClientAuthenticationDeps } from './client-authentication.js'
import { type RedeemCodeDeps, redeemCode } from './redeem-code.js'

const MOST_BYTES = 16_384

/** What the endpoint needs. */
export interface TokenEndpointDeps extends RedeemCodeDeps, ClientAuthenticationDeps {
  readonly clock: Clock
  readonly log: Log
}

/** Makes the route. */
export function tokenEndpoint(deps: TokenEndpointDeps): Route {
  const path = deps.settings.endpoints.token
  const handle = endpoint(
    async (request) => {
      const form = await readForm(request, { maxBytes: MOST_BYTES })
      // Read when the request is there in whole: a slow body must not be judged by an earlier time.
      const now = deps.clock()
      const caller = authenticateCaller({ headers: request.headers, path, form }, deps, now)
      const wanted = parseTokenRequest(form)
      return json(200, createTokenResponse(await redeemCode({ wanted, caller, now }, deps)), NO_STORE)
    },
    { statuses: OAUTH_ERRORS, log: deps.log, random: deps.random, event: 'verifier.token' },
  )
  return { method: 'POST', path, handle }
}
