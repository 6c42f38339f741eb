/**
 * The Nonce Endpoint and the Challenge Endpoint: fresh values for anyone, nothing written.
 *
 * Source: OpenID4VCI 1.0, section 7; attestation-based client authentication -11, section 6.
 *
 * @module
 */
import { type Clock, endpoint, json, type Log, NO_STORE, type Random, type Route } from '@attache/core'
import { createChallengeResponse, type ServerNonces } from '@attache/oauth'
import { makeNonceResponse } from '@attache/openid4vci'
import { type EndpointUrls, pathOf } from './endpoint-urls.js'
import type { CredentialNonces } from './nonces.js'

/** What the endpoints need. */
export interface NonceEndpointDeps {
  readonly urls: EndpointUrls
  readonly nonces: CredentialNonces
  readonly resourceNonces: ServerNonces | undefined
  readonly dpopNonces: ServerNonces | undefined
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** The route of the Nonce Endpoint. A `DPoP-Nonce` of the resource travels along where one is needed. */
export function nonceEndpoint(deps: NonceEndpointDeps): Route {
  const handle = endpoint(
    async () => {
      const now = deps.clock()
      const dpopNonce = deps.resourceNonces ? { 'DPoP-Nonce': deps.resourceNonces.issue(now) } : {}
      return json(200, makeNonceResponse({ cNonce: deps.nonces.issue(now) }), { ...NO_STORE, ...dpopNonce })
    },
    { ...deps, statuses: {}, event: 'issuer.nonce' },
  )
  return { method: 'POST', path: pathOf(deps.urls.nonce), handle }
}

/** The route of the Challenge Endpoint, for client attestation. */
export function challengeEndpoint(deps: NonceEndpointDeps & { readonly challenges: ServerNonces }): Route {
  const handle = endpoint(
    async () => {
      const { challenges, dpopNonces } = deps
      const { body, headers } = createChallengeResponse({ challenges, dpopNonces }, deps.clock())
      return json(200, body, headers)
    },
    { ...deps, statuses: {}, event: 'issuer.challenge' },
  )
  return { method: 'POST', path: pathOf(deps.urls.challenge), handle }
}
