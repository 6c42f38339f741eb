/**
 * From a trusted issuer to everything that may be called: its metadata, and the authorization server to use.
 *
 * Owns the exact identifier checks and the choice of the authorization server. Every endpoint used later comes
 * from these two documents; an offer names none.
 *
 * Source: OpenID4VCI 1.0, sections 12.2.2 to 12.2.4; RFC 8414, section 3.3; FAPI 2.0, section 5.3.3.1.
 *
 * @module
 */
import type { OutboundFetch } from '@attache/core'
import type { AuthorizationServerMetadata } from '@attache/oauth'
import {
  type IssuerMetadata,
  issuerMetadataUrl,
  PRE_AUTHORIZED_CODE_GRANT,
  parseIssuerMetadata,
} from '@attache/openid4vci'
import { abort, abortWith } from './abort.js'
import { fetchJsonDocument } from './fetch-document.js'
import type { TrustedIssuer } from './options.js'
import { fetchAuthorizationServer } from './protected-resource.js'

/** The grants a wallet without a person at hand can use, or hand to one. */
export type IssuanceGrant = 'pre-authorized_code' | 'authorization_code' | 'refresh_token'

/** Fetches the metadata of an issuer. Aborts with `metadata` or `issuer_mismatch`. */
export async function discoverIssuer(
  issuer: TrustedIssuer,
  deps: { readonly fetch: OutboundFetch },
): Promise<IssuerMetadata> {
  const { credentialIssuer, metadataWithoutTrailingSlash = false } = issuer
  const url = issuerMetadataUrl(
    metadataWithoutTrailingSlash ? credentialIssuer.replace(/\/$/, '') : credentialIssuer,
  )
  return abortWith('metadata', async () => {
    const document = await fetchJsonDocument(url, 'issuer metadata', deps)
    return parseIssuerMetadata(document, { credentialIssuer })
  })
}

/**
 * Chooses the authorization server of an issuance and fetches its metadata.
 *
 * @param wanted.hint `authorization_server` of the offered grant.
 */
export async function chooseServer(
  facts: {
    readonly issuer: TrustedIssuer
    readonly metadata: IssuerMetadata
    readonly grant: IssuanceGrant
    readonly hint?: string | undefined
  },
  deps: { readonly fetch: OutboundFetch },
): Promise<AuthorizationServerMetadata> {
  const { credentialIssuer } = facts.issuer
  const named = facts.metadata.authorizationServers ?? [credentialIssuer]
  const { hint } = facts
  if (hint !== undefined && !(facts.metadata.authorizationServers ?? []).includes(hint))
    throw abort('as_mismatch')

  const trusted = facts.issuer.authorizationServers ?? [credentialIssuer]
  const candidates = named.filter(
    (server) => trusted.includes(server) && (hint === undefined || server === hint),
  )
  for (const candidate of candidates) {
    const server = await fetchServer(candidate, deps)
    // An only candidate that announces nothing is tried: the announcement is optional.
    if (supportsGrant(server, facts.grant, candidates.length === 1)) return server
  }
  throw abort('no_as')
}

/** Fetches the metadata of one server. Aborts with `metadata` or `issuer_mismatch`. */
export function fetchServer(
  issuer: string,
  deps: { readonly fetch: OutboundFetch },
): Promise<AuthorizationServerMetadata> {
  return abortWith(
    ({ code }) => (code === 'metadata_identifier_mismatch' ? 'issuer_mismatch' : 'metadata'),
    () => fetchAuthorizationServer(issuer, deps),
  )
}

/** Whether a server announces a grant; `authorization_code` is what a silent server supports (RFC 8414). */
export function supportsGrant(
  server: AuthorizationServerMetadata,
  grant: IssuanceGrant,
  silentIsYes: boolean,
): boolean {
  const name = grant === 'pre-authorized_code' ? PRE_AUTHORIZED_CODE_GRANT : grant
  const announced = server.grantTypesSupported
  if (announced === undefined) return silentIsYes || grant === 'authorization_code'
  return announced.includes(name)
}
