/**
 * Where type metadata comes from: a registry handed in, a cache, or the https `vct` of a recognised publisher.
 *
 * A chain of `extends` is resolved to its end or not at all. Nobody's documents are used for decisions by
 * default: a publisher is recognised for the types under its own origin, and only where configured.
 *
 * Source: SD-JWT VC (draft 19), sections 3, 5.3, 5.4, 7.4 and 7.8.
 *
 * @module
 */
import { type NumericDate, type OutboundFetch, parseHttpsUrl, VerificationError } from '@attache/core'
import { refusal } from './errors.js'
import { extendType } from './extend-type.js'
import { checkIntegrity } from './integrity.js'
import { createDocumentCache, type DocumentCache } from './type-document-cache.js'
import { parseTypeMetadata, type TypeMetadata } from './type-metadata.js'

/** Whose documents count, and how far they are followed. */
export interface TypeMetadataOptions {
  /** Origins whose types are fetched, for example `https://issuer.example`. None by default. */
  readonly publishers: readonly string[]
  /** Documents known without asking, by `vct`; octets, so that integrity can be checked. @default none */
  readonly registry?: ReadonlyMap<string, Uint8Array>
  /** Documents in one chain of `extends`. @default 8 */
  readonly maxChain?: number
  /** Largest document. @default 262144 */
  readonly maxBytes?: number
  /** Documents kept. @default 100 */
  readonly maxCached?: number
}

/** A reference to a type. */
export interface TypeReference {
  readonly vct: string
  /** `vct#integrity`, when the credential states it. */
  readonly integrity?: string
}

/** Finds the complete metadata of a type. */
export interface TypeMetadataResolver {
  /**
   * @returns The type with everything it inherits.
   * @throws {VerificationError} `type_metadata_*`, `integrity_*`: the credential is to be refused.
   */
  resolve(type: TypeReference, now: NumericDate): Promise<TypeMetadata>
}

interface Resolving extends TypeMetadataOptions {
  readonly fetch: OutboundFetch
  readonly cache: DocumentCache
}

/**
 * Creates a resolver with an empty cache.
 *
 * @param deps.fetch Guarded: https only, bounded, no internal addresses.
 *
 * Source: SD-JWT VC, section 5.3.
 */
export function createTypeMetadataResolver(
  options: TypeMetadataOptions,
  deps: { readonly fetch: OutboundFetch },
): TypeMetadataResolver {
  const cache = createDocumentCache({ maxEntries: options.maxCached ?? 100 })
  const resolving = { ...options, ...deps, cache }
  return { resolve: (type, now) => resolveChain(type, now, resolving) }
}

async function resolveChain(
  type: TypeReference,
  now: NumericDate,
  resolving: Resolving,
): Promise<TypeMetadata> {
  const chain: TypeMetadata[] = []
  let next: TypeReference | undefined = type
  while (next !== undefined) {
    const reference: TypeReference = next
    if (chain.some(({ vct }) => vct === reference.vct)) throw refusal('type_metadata_cycle')
    if (chain.length >= (resolving.maxChain ?? 8)) throw refusal('type_metadata_too_deep')
    const document = await readDocument(reference, now, resolving)
    chain.push(document)
    next = parentOf(document)
  }
  return chain.reduceRight((parent, child) => extendType(parent, child))
}

function parentOf(document: TypeMetadata): TypeReference | undefined {
  if (document.extends === undefined) return undefined
  const { extendsIntegrity: integrity } = document
  return { vct: document.extends, ...(integrity === undefined ? {} : { integrity }) }
}

async function readDocument(
  reference: TypeReference,
  now: NumericDate,
  resolving: Resolving,
): Promise<TypeMetadata> {
  const octets =
    resolving.registry?.get(reference.vct) ??
    resolving.cache.get(reference, now) ??
    (await fetchDocument(reference, now, resolving))
  // Also for cached octets: they may have been kept for a reference without integrity.
  if (reference.integrity !== undefined) checkIntegrity(octets, reference.integrity)
  const document = parseTypeMetadata(octets)
  if (document.vct !== reference.vct) throw refusal('type_metadata_vct')
  return document
}

async function fetchDocument(
  reference: TypeReference,
  now: NumericDate,
  resolving: Resolving,
): Promise<Uint8Array> {
  const url = parseHttpsUrl(reference.vct)
  if (url === undefined || !resolving.publishers.includes(url.origin))
    throw refusal('type_metadata_publisher')
  const response = await request(reference.vct, resolving)
  if (response.status !== 200) throw refusal('type_metadata_unavailable')
  const octets = new Uint8Array(await response.arrayBuffer())
  if (reference.integrity !== undefined) checkIntegrity(octets, reference.integrity)
  resolving.cache.put(reference, { octets, cacheControl: response.headers.get('cache-control') ?? '' }, now)
  return octets
}

async function request(url: string, resolving: Resolving): Promise<Response> {
  try {
    return await resolving.fetch(url, {
      headers: { accept: 'application/json' },
      maxBytes: resolving.maxBytes ?? 262_144,
      timeoutMs: 3000,
      contentTypes: ['application/json'],
    })
  } catch (cause) {
    if (cause instanceof VerificationError) throw refusal('type_metadata_unavailable', cause)
    throw cause
  }
}
