/**
 * Where the endpoints of an issuer lie.
 *
 * Owns the URLs, all made from the configured identifier, and the path each has on this server. Nothing is
 * taken from a Host header.
 *
 * Source: OpenID4VCI 1.0, sections 12.2.2 and 12.2.4; RFC 8414, section 3.
 *
 * @module
 */
import { authorizationServerMetadataUrl } from '@attache/oauth'
import { issuerMetadataUrl } from '@attache/openid4vci'

/** The URLs of one issuer. */
export interface EndpointUrls {
  readonly issuerMetadata: string
  readonly authorizationServerMetadata: string
  readonly challenge: string
  readonly pushedAuthorizationRequest: string
  readonly authorization: string
  readonly token: string
  readonly nonce: string
  readonly credential: string
  readonly deferred: string
  readonly notification: string
  /** An offer lies at `<offers>/<secret>`. */
  readonly offers: string
  /** A Status List Token lies at `<statusLists>/<id>`. */
  readonly statusLists: string
  /** The identifier without a final slash: where everything of this issuer begins. */
  readonly base: string
}

/** The URLs of an issuer. */
export function endpointUrls(credentialIssuer: string): EndpointUrls {
  const base = credentialIssuer.replace(/\/$/, '')
  return {
    issuerMetadata: issuerMetadataUrl(credentialIssuer),
    authorizationServerMetadata: authorizationServerMetadataUrl(credentialIssuer),
    challenge: `${base}/challenge`,
    pushedAuthorizationRequest: `${base}/par`,
    authorization: `${base}/authorize`,
    token: `${base}/token`,
    nonce: `${base}/nonce`,
    credential: `${base}/credential`,
    deferred: `${base}/deferred`,
    notification: `${base}/notification`,
    offers: `${base}/offers`,
    statusLists: `${base}/status`,
    base,
  }
}

/** The path of a URL as requests carry it. */
export function pathOf(url: string): string {
  return new URL(url).pathname
}
