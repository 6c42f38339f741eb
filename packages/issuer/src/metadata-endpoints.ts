/**
 * The documents anyone may read: issuer metadata, authorization server metadata, type metadata.
 *
 * Owns the routes. All documents are made once, at the start, so a mistake in them stops the start.
 *
 * Source: OpenID4VCI 1.0, section 12.2.2; RFC 8414, section 3; SD-JWT VC -19, section 4.
 *
 * @module
 */
import { endpoint, type JsonObject, json, type Log, type Random, type Route } from '@attache/core'
import type { CredentialTemplate } from './credential-template.js'
import { type EndpointUrls, pathOf } from './endpoint-urls.js'
import { typeMetadataOf } from './type-metadata.js'

/** What the documents are served with. */
export interface MetadataEndpointsDeps {
  readonly credentialIssuer: string
  readonly urls: EndpointUrls
  readonly issuerMetadata: JsonObject
  readonly authorizationServerMetadata: JsonObject
  readonly templates: readonly CredentialTemplate[]
  readonly random: Random
  readonly log: Log
}

/** The routes of the documents. */
export function metadataEndpoints(deps: MetadataEndpointsDeps): readonly Route[] {
  const { urls } = deps
  // Readers of 1.0 keep the trailing slash of an identifier, readers of RFC 8414 drop it: both are answered.
  const paths = new Set([pathOf(urls.issuerMetadata), pathOf(urls.issuerMetadata).replace(/\/$/, '')])
  const types = deps.templates.filter((template) => template.vct.startsWith(`${urls.base}/`))
  return [
    ...[...paths].map((path) => documentRoute(path, deps.issuerMetadata, deps)),
    documentRoute(pathOf(urls.authorizationServerMetadata), deps.authorizationServerMetadata, deps),
    ...types.map((template) => documentRoute(pathOf(template.vct), typeMetadataOf(template), deps)),
  ]
}

function documentRoute(path: string, document: JsonObject, deps: MetadataEndpointsDeps): Route {
  const handle = endpoint(
    async () =>
      json(200, document, { 'Cache-Control': 'public, max-age=60', Vary: 'Accept, Accept-Language' }),
    { ...deps, statuses: {}, event: 'issuer.metadata' },
  )
  return { method: 'GET', path, handle }
}
