/**
 * Where a wallet's answer may go: the link between a client and its response_uri.
 *
 * Source: OpenID4VP 1.0, sections 5.9.3, 8.2 and 14.4.1; RFC 9700, section 2.1.
 *
 * @module
 */
import { parseHttpsUrl, VerificationError } from '@attache/core'
import type { AuthorizationRequest } from './authorization-request.js'
import type { AuthenticatedClient } from './client-authentication.js'

/** What else, beside the prefix rule, binds a response_uri to a client. */
export interface ResponseUriPolicy {
  /** Exact response URIs registered for this client. */
  readonly registered?: readonly string[]
  /**
   * Whether an `x509_hash` client's response_uri must lie on a host its certificate names. `off` for
   * ecosystems whose certificates name none. @default `certificate`
   */
  readonly hostLink?: 'certificate' | 'off'
}

/**
 * Finds the response_uri of a request, and refuses one that is not bound to the client.
 *
 * @param client Absent for an unsigned request of a `redirect_uri:` client, whose identifier is its address.
 * @returns The URI exactly as written.
 * @throws {VerificationError} `response_uri`, `invalid_request`: nothing is sent.
 *
 * Source: OpenID4VP 1.0, sections 5.9.3, 8.2 and 14.4.1.
 */
export function boundResponseUri(
  request: AuthorizationRequest,
  client: AuthenticatedClient | undefined,
  policy: ResponseUriPolicy = {},
): string {
  const own = request.clientId?.startsWith('redirect_uri:') ? request.clientId.slice(13) : undefined
  const uri = request.responseUri ?? own
  const url = parseHttpsUrl(uri)
  if (uri === undefined || url === undefined) {
    throw new VerificationError('response_uri', 'The response_uri is no https URL.')
  }
  if (own !== undefined) {
    if (own === uri) return uri
    throw new VerificationError(
      'response_uri',
      'The response_uri is not the one the Client Identifier names.',
    )
  }
  if (client === undefined)
    throw new VerificationError('invalid_request', 'An unsigned request has no such client.')
  if (client.redirectUris?.includes(uri) === false) {
    throw new VerificationError('response_uri', 'The response_uri is not one that the attester names.')
  }
  if (policy.registered !== undefined) {
    if (policy.registered.includes(uri)) return uri
    throw new VerificationError('response_uri', 'The response_uri is not registered for this client.')
  }
  if (isLinked(client, url.hostname, policy.hostLink ?? 'certificate')) return uri
  throw new VerificationError('response_uri', 'The host of the response_uri is not linked to this client.')
}

function isLinked(client: AuthenticatedClient, host: string, hostLink: 'certificate' | 'off'): boolean {
  switch (client.clientId.prefix) {
    case 'x509_san_dns':
      return client.clientId.original === host
    case 'x509_hash':
      return hostLink === 'off' || (client.chain?.dnsNames.includes(host) ?? false)
    case 'verifier_attestation':
      return hostLink === 'off' || client.redirectUris !== undefined
    default:
      // The integrity-protected request of an authenticated client names it (section 14.4.1).
      return hostLink === 'off'
  }
}
