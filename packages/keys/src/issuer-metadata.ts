/**
 * Keys of an issuer from the web: JWT VC Issuer Metadata, the metadata of an OpenID Provider, and JWK Sets.
 *
 * Only fetches and judges; keeping is `key-set-cache.ts`, trusting is `key-resolution.ts`.
 *
 * Source: SD-JWT VC (-19), section 4; OpenID Connect Discovery 1.0, section 4; RFC 7517, section 5.
 *
 * @module
 */
import {
  isJsonObject,
  type JsonObject,
  type JsonValue,
  type Log,
  mediaType,
  member,
  type OutboundFetch,
  parseHttpsUrl,
  parseJson,
  type VerificationError,
  wellKnownUrl,
  withoutTrailingSlash,
} from '@attache/core'
import { refusal } from './error-codes.js'
import type { PublicJwk } from './jwk.js'
import { parseJwks } from './jwks.js'

/** What fetching keys needs. */
export interface KeyFetchDeps {
  readonly fetch: OutboundFetch
  /** Told `jwks_private_member` when a peer publishes a secret, `jwks_key_skipped` for other unusable keys. */
  readonly log: Log
}

const METADATA_TYPES = ['application/json']
const JWKS_TYPES = ['application/json', 'application/jwk-set+json']

/**
 * Where the metadata of an issuer lies.
 *
 * @param issuer https URL without query and fragment; one trailing slash of its path is removed.
 * @throws {VerificationError} `issuer_identifier_invalid`
 *
 * Source: SD-JWT VC (-19), sections 4 and 4.1.
 */
export function issuerMetadataUrl(issuer: string): string {
  return wellKnownUrl(requireIdentifier(issuer), 'jwt-vc-issuer')
}

/**
 * Fetches the keys an issuer names in its metadata.
 *
 * @throws {VerificationError} `issuer_identifier_invalid`; `issuer_metadata_invalid`: not 200, not
 *   `application/json`, another `issuer`, or not exactly one of `jwks` and `jwks_uri`; `jwks_malformed`; the
 *   `fetch_` codes.
 *
 * Source: SD-JWT VC (-19), sections 4.2 and 4.3.
 */
export async function fetchIssuerKeys(issuer: string, deps: KeyFetchDeps): Promise<readonly PublicJwk[]> {
  const metadata = await fetchMetadata(issuerMetadataUrl(issuer), issuer, deps)
  const [jwks, uri] = [member(metadata, 'jwks'), member(metadata, 'jwks_uri')]
  if ((jwks === undefined) === (uri === undefined)) {
    throw invalid('The metadata must have exactly one of jwks and jwks_uri.')
  }
  if (uri === undefined) return parseReported(jwks, issuer, deps.log)
  if (parseHttpsUrl(uri) === undefined || typeof uri !== 'string')
    throw invalid('The jwks_uri is not an https URL.')
  return fetchJwks(uri, deps)
}

/**
 * Where the metadata of an OpenID Provider lies: the segment is appended, not inserted.
 *
 * @param issuer https URL without query and fragment; one trailing slash of its path is removed.
 * @throws {VerificationError} `issuer_identifier_invalid`
 *
 * Source: OpenID Connect Discovery 1.0, section 4.1.
 */
export function providerMetadataUrl(issuer: string): string {
  return `${requireIdentifier(issuer)}/.well-known/openid-configuration`
}

/**
 * Fetches the keys an OpenID Provider names in its metadata, by `jwks_uri` alone.
 *
 * @throws {VerificationError} The codes of {@link fetchIssuerKeys}.
 *
 * Source: OpenID Connect Discovery 1.0, sections 3, 4.2 and 4.3.
 */
export async function fetchProviderKeys(issuer: string, deps: KeyFetchDeps): Promise<readonly PublicJwk[]> {
  const uri = member(await fetchMetadata(providerMetadataUrl(issuer), issuer, deps), 'jwks_uri')
  if (parseHttpsUrl(uri) === undefined || typeof uri !== 'string')
    throw invalid('The jwks_uri is not an https URL.')
  return fetchJwks(uri, deps)
}

/**
 * Fetches a JWK Set.
 *
 * @throws {VerificationError} `issuer_metadata_invalid`: not 200 or not JSON; `jwks_malformed`; the `fetch_` codes.
 *
 * Source: RFC 7517, section 5.
 */
export async function fetchJwks(uri: string, deps: KeyFetchDeps): Promise<readonly PublicJwk[]> {
  return parseReported(await fetchJson(uri, JWKS_TYPES, deps.fetch), uri, deps.log)
}

function requireIdentifier(issuer: string): string {
  if (parseHttpsUrl(issuer) === undefined || /[?#]/.test(issuer)) {
    throw refusal('issuer_identifier_invalid', 'An issuer is an https URL without query and fragment.')
  }
  return withoutTrailingSlash(issuer)
}

async function fetchMetadata(url: string, issuer: string, { fetch }: KeyFetchDeps): Promise<JsonObject> {
  const metadata = await fetchJson(url, METADATA_TYPES, fetch)
  if (!isJsonObject(metadata) || member(metadata, 'issuer') !== issuer) {
    throw invalid('The metadata is not that of the issuer, compared character by character.')
  }
  return metadata
}

function parseReported(jwks: unknown, source: string, log: Log): readonly PublicJwk[] {
  return parseJwks(jwks, ({ index, code }) => {
    if (code === 'jwk_private_member') log.error('jwks_private_member', { source, index })
    else log.warn('jwks_key_skipped', { source, index, code })
  })
}

async function fetchJson(
  url: string,
  contentTypes: readonly string[],
  fetch: OutboundFetch,
): Promise<JsonValue> {
  const response = await fetch(url, { headers: { accept: contentTypes.join(', ') }, contentTypes })
  const type = mediaType(response.headers)
  if (response.status !== 200 || !contentTypes.includes(type)) {
    throw invalid('The keys of the issuer were not answered with 200 and JSON.')
  }
  const parsed = parseJson(await response.text())
  if (!parsed.ok) throw invalid('The answer of the issuer is not strict JSON.')
  return parsed.value
}

function invalid(message: string): VerificationError {
  return refusal('issuer_metadata_invalid', message)
}
