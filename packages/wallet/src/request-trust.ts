/**
 * Whom a request object is believed for: one configured verifier, by the rule of its prefix and no other.
 *
 * Both routes ask here, so that a verifier is recognised the same way on each of them.
 *
 * Source: OpenID4VP 1.0, sections 5.9.3 and 8.5.
 *
 * @module
 */
import type { OutboundFetch } from '@attache/core'
import { type AuthorizationRequest, type ClientTrust, createDidKeys } from '@attache/openid4vp'
import type { TrustedVerifier } from './options.js'

/** The trust in one verifier's request objects. */
export function requestTrust(
  verifier: TrustedVerifier,
  deps: { readonly fetch: OutboundFetch },
): ClientTrust {
  const { clientId, anchors, keys, metadata, attesters } = verifier
  return {
    anchors,
    didKey: createDidKeys(deps),
    registeredClient: (id) =>
      id === clientId && keys !== undefined ? { keys, hasMetadata: metadata !== undefined } : undefined,
    verifierAttesters: (issuer) => attesters?.find((one) => one.issuer === issuer)?.keys,
  }
}

/** A request whose client has its metadata registered here, with that metadata. */
export function withRegisteredMetadata(
  request: AuthorizationRequest,
  { metadata }: TrustedVerifier,
): AuthorizationRequest {
  return metadata === undefined ? request : { ...request, clientMetadata: metadata }
}
