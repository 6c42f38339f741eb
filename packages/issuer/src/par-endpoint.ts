/**
 * The Pushed Authorization Request Endpoint.
 *
 * Source: RFC 9126, section 2.
 *
 * @module
 */
import {
  type Clock,
  endpoint,
  json,
  type Log,
  NO_STORE,
  type Random,
  type Route,
  readForm,
} from '@attache/core'
import {
  createPushedAuthorizationResponse,
  OAUTH_ERRORS,
  parsePushedAuthorizationRequest,
} from '@attache/oauth'
import { type AuthenticateClientDeps, authenticateClient } from './authenticate-client.js'
import { type EndpointUrls, pathOf } from './endpoint-urls.js'
import { type PushAuthorizationRequestDeps, pushAuthorizationRequest } from './push-authorization-request.js'

/** What the endpoint needs. */
export interface ParEndpointDeps extends AuthenticateClientDeps, PushAuthorizationRequestDeps {
  readonly credentialIssuer: string
  readonly keys: AuthenticateClientDeps['keys']
  readonly urls: EndpointUrls
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

const MAX_FORM_BYTES = 65_536

/** The route of the endpoint. */
export function parEndpoint(deps: ParEndpointDeps): Route {
  const url = deps.urls.pushedAuthorizationRequest
  const handle = endpoint(
    async (request) => {
      const form = await readForm(request, { maxBytes: MAX_FORM_BYTES })
      // Read when the request is there in whole: a slow body must not be judged by an earlier time.
      const now = deps.clock()
      const client = authenticateClient({ headers: request.headers, url, form, proof: 'optional', now }, deps)
      const asked = parsePushedAuthorizationRequest(form)
      const pushed = await pushAuthorizationRequest({ request: asked, client, now }, deps)
      const nonce = deps.dpopNonces ? { 'DPoP-Nonce': deps.dpopNonces.issue(now) } : {}
      return json(201, createPushedAuthorizationResponse(pushed), { ...NO_STORE, ...nonce })
    },
    { ...deps, statuses: OAUTH_ERRORS, event: 'issuer.par' },
  )
  return { method: 'POST', path: pathOf(url), handle }
}
