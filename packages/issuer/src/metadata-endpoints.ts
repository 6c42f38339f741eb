/**
 * The documents anyone may read: issuer metadata, authorization server metadata, type metadata.
 *
 * Owns the routes. All documents are made once, at the start, so a mistake in them stops the start; only the
 * signed form of the issuer metadata is made on request, with the time of its signature.
 *
 * Source: OpenID4VCI 1.0, sections 12.2.2 and 12.2.3; RFC 8414, section 3; SD-JWT VC -19, section 4.
 *
 * @module
 */
import { type Clock, endpoint, type JsonObject, json, type Log, type Random, type Route } from '@attache/core'
import type { Signer } from '@attache/keys'
import { createSignedMetadata } from '@attache/openid4vci'
import type { CredentialTemplate } from './credential-template.js'
import { type EndpointUrls, pathOf } from './endpoint-urls.js'
import { negotiateMediaType } from './negotiate-media-type.js'
import { typeMetadataOf } from './type-metadata.js'

/** What the documents are served with. */
export interface MetadataEndpointsDeps {
  readonly urls: EndpointUrls
  readonly issuerMetadata: JsonObject
  readonly authorizationServerMetadata: JsonObject
  readonly templates: readonly CredentialTemplate[]
  /** Signs the issuer metadata; undefined: they are offered unsigned only. */
  readonly metadataSigner: Signer | undefined
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

const HEADERS = { 'Cache-Control': 'public, max-age=60', Vary: 'Accept, Accept-Language' }
const SIGNATURE_SECONDS = 86_400

/** The routes of the documents. */
export function metadataEndpoints(deps: MetadataEndpointsDeps): readonly Route[] {
  const { urls } = deps
  // Readers of 1.0 keep the trailing slash of an identifier, others drop it: both are answered (D-03).
  const paths = new Set([pathOf(urls.issuerMetadata), pathOf(urls.issuerMetadata).replace(/\/$/, '')])
  const types = deps.templates.filter((template) => template.vct.startsWith(`${urls.base}/`))
  return [
    ...[...paths].map((path) => issuerMetadataRoute(path, deps)),
    documentRoute(pathOf(urls.authorizationServerMetadata), deps.authorizationServerMetadata, deps),
    ...types.map((template) => documentRoute(pathOf(template.vct), typeMetadataOf(template), deps)),
  ]
}

function issuerMetadataRoute(path: string, deps: MetadataEndpointsDeps): Route {
  const { issuerMetadata, metadataSigner } = deps
  if (metadataSigner === undefined) return documentRoute(path, issuerMetadata, deps)
  const handle = endpoint(
    async (request) => {
      const type = negotiateMediaType(request.headers.get('Accept'), ['application/json', 'application/jwt'])
      if (type === 'application/json') return json(200, issuerMetadata, HEADERS)
      const now = deps.clock()
      const times = { now, expiresAt: now + SIGNATURE_SECONDS }
      const signed = await createSignedMetadata(issuerMetadata, metadataSigner, times)
      return new Response(signed, { status: 200, headers: { ...HEADERS, 'Content-Type': type } })
    },
    { ...deps, statuses: {}, event: 'issuer.metadata' },
  )
  return { method: 'GET', path, handle }
}

function documentRoute(path: string, document: JsonObject, deps: MetadataEndpointsDeps): Route {
  const handle = endpoint(async () => json(200, document, HEADERS), {
    ...deps,
    statuses: {},
    event: 'issuer.metadata',
  })
  return { method: 'GET', path, handle }
}
