/**
 * From an API's challenge to its authorization server, over documents the wallet fetched itself.
 *
 * Owns the chain that may not break: called URL, resource metadata of the same origin, a resource that covers
 * the URL, an authorization server the configuration names, metadata of exactly that server. The agent and the
 * API's challenge choose none of these.
 *
 * RFC 9728, section 3.3, wants the resource to be the requested URL. An API guards many URLs under one
 * identifier, so here the identifier must be the URL or a whole-segment prefix of it on the same origin.
 *
 * Source: RFC 9728, sections 3.3, 5 and 7.6; RFC 8414, section 3.3.
 *
 * @module
 */
import { isJsonObject, member, type OutboundFetch, parseHttpsUrl, VerificationError } from '@attache/core'
import {
  type AuthorizationServerMetadata,
  authorizationServerMetadataUrl,
  chooseAuthorizationServer,
  parseAuthorizationServerMetadata,
  parseProtectedResourceMetadata,
  protectedResourceMetadataUrl,
} from '@attache/oauth'
import { fetchJsonDocument } from './fetch-document.js'
import type { TrustedVerifier } from './options.js'
import { signaturesFor, type TokenSignatures } from './token-signatures.js'

/** Who grants access to a URL. */
export interface GuardedResource {
  /** Resource identifier. */
  readonly resource: string
  readonly authorizationServer: AuthorizationServerMetadata
  /** How its calls are signed. */
  readonly signatures: TokenSignatures
}

/**
 * Finds the authorization server of a URL.
 *
 * @param facts.metadataUrl `resource_metadata` of the challenge; absent, the well-known URL of the origin.
 * @param facts.scope Of the challenge: whose rules about signatures count.
 * @throws {VerificationError} `resource_metadata`: another origin, or a resource that does not cover the URL;
 *   `authorization_server_not_trusted`; `metadata_identifier_mismatch`, `answer_malformed`, `metadata`;
 *   `answers_unsigned`.
 */
export async function discoverAuthorization(
  facts: {
    readonly url: string
    readonly metadataUrl?: string | undefined
    readonly scope?: string | undefined
    readonly verifier: TrustedVerifier
  },
  deps: { readonly fetch: OutboundFetch },
): Promise<GuardedResource> {
  const { origin } = new URL(facts.url)
  const metadataUrl = facts.metadataUrl ?? protectedResourceMetadataUrl(origin)
  if (parseHttpsUrl(metadataUrl)?.origin !== origin) {
    throw new VerificationError('resource_metadata', 'The challenge points to metadata of another origin.')
  }
  const document = await fetchJsonDocument(metadataUrl, 'resource metadata', deps)
  const resource = isJsonObject(document) ? member(document, 'resource') : undefined
  if (
    typeof resource !== 'string' ||
    !covers(resource, facts.url) ||
    protectedResourceMetadataUrl(resource) !== metadataUrl
  ) {
    throw new VerificationError(
      'resource_metadata',
      'The resource metadata does not speak for the called URL.',
    )
  }
  const metadata = parseProtectedResourceMetadata(document, { resource })
  const issuer = chooseAuthorizationServer(metadata, [facts.verifier.authorizationServer ?? origin])
  const signatures = signaturesFor(metadata, facts.scope, facts.verifier)
  return { resource, authorizationServer: await fetchAuthorizationServer(issuer, deps), signatures }
}

/**
 * Fetches the metadata of an authorization server.
 *
 * @throws {VerificationError} `metadata_identifier_mismatch`, `answer_malformed`, `metadata`.
 */
export async function fetchAuthorizationServer(
  issuer: string,
  deps: { readonly fetch: OutboundFetch },
): Promise<AuthorizationServerMetadata> {
  const url = authorizationServerMetadataUrl(issuer)
  const document = await fetchJsonDocument(url, 'authorization server metadata', deps)
  return parseAuthorizationServerMetadata(document, { issuer })
}

/** Whether a resource identifier covers a URL: same origin, and its path is the URL's or whole segments of it. */
export function covers(resource: string, url: string): boolean {
  const [identifier, called] = [parseHttpsUrl(resource), parseHttpsUrl(url)]
  if (identifier === undefined || called === undefined || identifier.origin !== called.origin) return false
  // A resource identifier has no fragment (RFC 9728, section 1.2); no metadata URL can be made of one.
  if (resource.includes('#')) return false
  const path = identifier.pathname.replace(/\/$/, '')
  return called.pathname === identifier.pathname || called.pathname.startsWith(`${path}/`)
}
