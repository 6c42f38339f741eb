/**
 * Type metadata documents that need not be fetched again.
 *
 * With an integrity value the octets can not change under it, so that they are kept as long as there is
 * room, whatever the publisher says; otherwise as long as its `Cache-Control` allows.
 *
 * Source: SD-JWT VC (draft 19), section 5.3.4; RFC 9111, section 4.2.1.
 *
 * @module
 */
import type { NumericDate } from '@attache/core'

/** What a document is looked up by. */
interface DocumentName {
  readonly vct: string
  readonly integrity?: string
}

/** Octets of documents, bounded in number. */
export interface DocumentCache {
  get(name: DocumentName, now: NumericDate): Uint8Array | undefined
  put(
    name: DocumentName,
    answer: { readonly octets: Uint8Array; readonly cacheControl: string },
    now: NumericDate,
  ): void
}

/** Longest life without integrity, in seconds, whatever the publisher allows. */
const MAX_FRESH_SECONDS = 86_400

/** Creates an empty cache; the document kept for longest makes room. */
export function createDocumentCache(options: { readonly maxEntries: number }): DocumentCache {
  const kept = new Map<string, { readonly octets: Uint8Array; readonly freshUntil: NumericDate }>()
  return {
    get(name, now) {
      const found = kept.get(keyOf(name))
      return found !== undefined && now < found.freshUntil ? found.octets : undefined
    },
    put(name, { octets, cacheControl }, now) {
      const lifetime = name.integrity === undefined ? freshSeconds(cacheControl) : Number.POSITIVE_INFINITY
      if (lifetime <= 0) return
      kept.delete(keyOf(name))
      kept.set(keyOf(name), { octets, freshUntil: now + lifetime })
      const [oldest] = kept.keys()
      if (kept.size > options.maxEntries && oldest !== undefined) kept.delete(oldest)
    },
  }
}

function keyOf({ vct, integrity }: DocumentName): string {
  return integrity === undefined ? vct : `${vct} ${integrity}`
}

/** Freshness lifetime by `Cache-Control`; none without an explicit one, for guessing is for browsers. */
function freshSeconds(cacheControl: string): number {
  const directives = cacheControl
    .toLowerCase()
    .split(',')
    .map((directive) => directive.trim())
  if (directives.includes('no-store') || directives.includes('no-cache')) return 0
  const maxAge = directives.find((directive) => /^max-age=\d{1,9}$/.test(directive))
  return maxAge === undefined ? 0 : Math.min(Number(maxAge.slice('max-age='.length)), MAX_FRESH_SECONDS)
}
