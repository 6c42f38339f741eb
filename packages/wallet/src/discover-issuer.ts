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
import { mediaType, type NumericDate, type OutboundFetch, parseJson } from '@attache/core'
import type { JwsAlgorithm } from '@attache/keys'
import type { AuthorizationServerMetadata } from '@attache/oauth'
import {
  type IssuerMetadata,
  issuerMetadataUrl,
  PRE_AUTHORIZED_CODE_GRANT,
  parseIssuerMetadata,
  verifySignedMetadata,
} from '@attache/openid4vci'
import { abort, abortWith } from './abort.js'
import type { TrustedIssuer } from './options.js'
import { fetchAuthorizationServer } from './protected-resource.js'

/** The grants a wallet without a person at hand can use, or hand to one. */
export type IssuanceGrant = 'pre-authorized_code' | 'authorization_code' | 'refresh_token'

/** What fetching and judging issuer metadata needs. */
export interface DiscoverIssuerDeps {
  readonly fetch: OutboundFetch
  /** Accepted algorithms of signed metadata. */
  readonly algorithms: readonly JwsAlgorithm[]
  readonly now: NumericDate
}

const SIGNED_METADATA_MEDIA_TYPE = 'application/jwt'

/** Fetches the metadata of an issuer. Aborts with `metadata`, `metadata_signature` or `issuer_mismatch`. */
export async function discoverIssuer(
  issuer: TrustedIssuer,
  deps: DiscoverIssuerDeps,
): Promise<IssuerMetadata> {
  const { credentialIssuer, metadataWithoutTrailingSlash = false } = issuer
  const url = issuerMetadataUrl(
    metadataWithoutTrailingSlash ? credentialIssuer.replace(/\/$/, '') : credentialIssuer,
  )
  return abortWith('metadata', async () => {
    const anchored = issuer.metadataAnchors !== undefined
    const { mediaType: type, text } = await fetchMetadata(url, { fetch: deps.fetch, anchored })
    if (type === SIGNED_METADATA_MEDIA_TYPE) {
      const anchors = issuer.metadataAnchors
      if (anchors === undefined) throw abort('metadata_signature')
      return verifySignedMetadata(text, { credentialIssuer, anchors, algorithms: deps.algorithms }, deps.now)
    }
    // An issuer that signs and answers unsigned may not be the one that answers.
    if (issuer.metadataAnchors !== undefined) throw abort('metadata_signature')
    const parsed = parseJson(text)
    if (!parsed.ok) throw abort('metadata')
    return parseIssuerMetadata(parsed.value, { credentialIssuer })
  })
}

async function fetchMetadata(
  url: string,
  { fetch, anchored }: { readonly fetch: OutboundFetch; readonly anchored: boolean },
) {
  // A signed form that nobody here could check is not asked for.
  const accept = anchored ? `${SIGNED_METADATA_MEDIA_TYPE}, application/json;q=0.5` : 'application/json'
  const contentTypes = ['application/json', SIGNED_METADATA_MEDIA_TYPE]
  const response = await fetch(url, { headers: { accept, 'accept-language': 'en' }, contentTypes })
  if (response.status !== 200) throw abort('metadata')
  return { mediaType: mediaType(response.headers), text: await response.text() }
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
