/**
 * The Credential Issuer Identifier, and where its metadata lies.
 *
 * Owns the well-known rule of OpenID4VCI 1.0: the suffix is inserted between host and path, and the path
 * keeps its trailing slash (RFC 8414, for authorization servers, drops it).
 *
 * Source: OpenID4VCI 1.0, sections 12.2.1 and 12.2.2.
 *
 * @module
 */
import { parseHttpsUrl, wellKnownUrl } from '@attache/core'

/**
 * Tells whether a text can be a Credential Issuer Identifier: `https`, a host, no query, no fragment.
 *
 * Source: OpenID4VCI 1.0, section 12.2.1.
 */
export function isCredentialIssuerIdentifier(text: string): boolean {
  // A bare `?` or `#` leaves URL.search and URL.hash empty, so the text itself is looked at.
  return parseHttpsUrl(text) !== undefined && !/[?#\s]/.test(text)
}

/**
 * The URL of the Credential Issuer Metadata.
 *
 * @param credentialIssuer A Credential Issuer Identifier, used byte for byte.
 *
 * Source: OpenID4VCI 1.0, section 12.2.2.
 */
export function issuerMetadataUrl(credentialIssuer: string): string {
  return wellKnownUrl(credentialIssuer, 'openid-credential-issuer')
}
