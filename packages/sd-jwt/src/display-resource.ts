/**
 * Images and templates that a type's display points at.
 *
 * Source: SD-JWT VC (draft 19), sections 3, 5.5.1 and 6.
 *
 * @module
 */
import { type OutboundFetch, parseHttpsUrl, VerificationError } from '@attache/core'
import { refusal } from './errors.js'
import { checkIntegrity } from './integrity.js'
import type { DisplayResource } from './type-display.js'

/** Octets of an image and what they are. */
export interface FetchedResource {
  readonly mediaType: string
  readonly octets: Uint8Array
}

const MEDIA_TYPES: readonly string[] = ['image/png', 'image/jpeg', 'image/webp', 'image/svg+xml']
const DATA_URL = /^data:(image\/[a-z+]+);base64,([A-Za-z0-9+/]+={0,2})$/
const MAX_BYTES = 1_048_576

/**
 * Gets a display resource.
 *
 * @param deps.fetch Guarded: https only, bounded, no internal addresses.
 * @throws {VerificationError} `display_resource_refused`: another scheme than https or data, no image, not to be
 *   had; `integrity_malformed`, `integrity_mismatch`.
 *
 * Source: SD-JWT VC, sections 3, 5.5.1 and 6.
 */
export async function fetchDisplayResource(
  resource: DisplayResource,
  deps: { readonly fetch: OutboundFetch },
): Promise<FetchedResource> {
  const found = resource.uri.startsWith('data:')
    ? readDataUrl(resource.uri)
    : await fetchImage(resource.uri, deps.fetch)
  if (!MEDIA_TYPES.includes(found.mediaType)) throw refusal('display_resource_refused')
  if (resource.integrity !== undefined) checkIntegrity(found.octets, resource.integrity)
  return found
}

function readDataUrl(uri: string): FetchedResource {
  const [, mediaType, content] = uri.length > 2 * MAX_BYTES ? [] : (DATA_URL.exec(uri) ?? [])
  if (mediaType === undefined || content === undefined) throw refusal('display_resource_refused')
  return { mediaType, octets: new Uint8Array(Buffer.from(content, 'base64')) }
}

async function fetchImage(uri: string, fetch: OutboundFetch): Promise<FetchedResource> {
  if (parseHttpsUrl(uri) === undefined) throw refusal('display_resource_refused')
  try {
    const response = await fetch(uri, { maxBytes: MAX_BYTES, timeoutMs: 3000, contentTypes: MEDIA_TYPES })
    if (response.status !== 200) throw refusal('display_resource_refused')
    const [mediaType = ''] = (response.headers.get('content-type') ?? '').split(';')
    return {
      mediaType: mediaType.trim().toLowerCase(),
      octets: new Uint8Array(await response.arrayBuffer()),
    }
  } catch (cause) {
    if (cause instanceof VerificationError) throw refusal('display_resource_refused', cause)
    throw cause
  }
}
