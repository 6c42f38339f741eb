/**
 * Publication: signs a list anew when it changed or its `ttl` has passed, and only then.
 *
 * Costs as much as the list is large, never as many credentials as were issued: the bytes are kept, not rebuilt.
 * `iat` never goes back within a process; processes that share a store sign for themselves.
 *
 * Source: Token Status List -20, sections 5.1 and 13.7.
 *
 * @module
 */
import { gzipSync } from 'node:zlib'
import {
  encodeBase64url,
  isJsonObject,
  type JsonValue,
  member,
  type NumericDate,
  type Store,
  utf8,
} from '@attache/core'
import { type Signer, sha256 } from '@attache/keys'
import {
  CHUNK_BYTES,
  isListId,
  type ListKeys,
  type ListRecord,
  parseChunk,
  parseListRecord,
} from './list-record.js'
import { createStatusList } from './status-list.js'
import { createStatusListToken } from './status-list-token.js'

/** A list as it stands on the web. */
export interface PublishedList {
  readonly uri: string
  /** Compact JWS. */
  readonly token: string
  readonly iat: NumericDate
  readonly exp: NumericDate
  /** The token in gzip content coding, made once for all who ask. */
  readonly gzip: Uint8Array<ArrayBuffer>
  /** Strong validator of the token, without quotes. */
  readonly etag: string
}

/** How lists are published. */
export interface PublicationTerms {
  /** `ttl` of the token, and the longest a token is served before it is signed anew; in seconds. */
  readonly ttlSeconds: number
  /** `exp` − `iat`, in seconds. */
  readonly lifetimeSeconds: number
  readonly aggregationUri?: string | undefined
}

/** What publishing needs. */
export interface PublicationDeps {
  readonly store: Pick<Store, 'get' | 'list'>
  readonly signer: Signer
  readonly keys: ListKeys
}

/** Publishes lists by id; `undefined` for a list that is not there (any more). */
export type PublishList = (id: string, now: NumericDate) => Promise<PublishedList | undefined>

type Signed = PublishedList & { readonly revision: number }

/** Creates what publishes; it remembers the last token of each list. */
export function createPublication(terms: PublicationTerms, deps: PublicationDeps): PublishList {
  const published = new Map<string, Signed>()
  const underWay = new Map<string, Promise<Signed>>()

  async function sign(record: ListRecord, now: NumericDate): Promise<Signed> {
    const iat = Math.max(now, published.get(record.id)?.iat ?? 0)
    const signed = await signList(record, { ...terms, iat }, deps)
    published.set(record.id, signed)
    return signed
  }

  return async (id, now) => {
    const stored = isListId(id) ? await deps.store.get(deps.keys.list(id)) : undefined
    if (stored === undefined) {
      published.delete(id)
      return undefined
    }
    const record = parseListRecord(stored.value)
    const last = published.get(id)
    if (last?.revision === record.revision && now < last.iat + terms.ttlSeconds) return last

    // One signature for all who ask at once, but never one that was begun before this change.
    const flight = `${id} ${record.revision}`
    const running = underWay.get(flight) ?? sign(record, now).finally(() => underWay.delete(flight))
    underWay.set(flight, running)
    return running
  }
}

async function signList(
  record: ListRecord,
  terms: PublicationTerms & { readonly iat: NumericDate },
  deps: PublicationDeps,
): Promise<Signed> {
  const { uri, revision } = record
  const { iat, aggregationUri } = terms
  const exp = iat + terms.lifetimeSeconds
  // Read after the revision: bytes newer than the revision they are filed under are only signed once more.
  const list = await loadList(record, deps)
  const aggregation = aggregationUri === undefined ? {} : { aggregationUri }
  const token = await createStatusListToken(
    { uri, iat, exp, ttl: terms.ttlSeconds, list, ...aggregation },
    deps.signer,
  )
  const gzip = new Uint8Array(gzipSync(token))
  return { uri, token, gzip, iat, exp, revision, etag: encodeBase64url(sha256(utf8(token))).slice(0, 22) }
}

async function loadList(record: ListRecord, { store, keys }: PublicationDeps) {
  const list = createStatusList(record.size, record.bits)
  const prefix = keys.chunks(record.id)
  const chunks = await store.list(prefix, undefined, Math.ceil(list.bytes.length / CHUNK_BYTES))
  for (const { key, value } of chunks) {
    list.bytes.set(parseChunk(value), Number(key.slice(prefix.length)) * CHUNK_BYTES)
  }
  return list
}

/** The URIs of all lists that are not retired. */
export async function listUris({
  store,
  keys,
}: Pick<PublicationDeps, 'store' | 'keys'>): Promise<readonly string[]> {
  const uris: string[] = []
  for (let after: string | undefined; ; ) {
    const page = await store.list(keys.lists, after)
    uris.push(...page.flatMap(({ value }) => uriOf(value)))
    after = page.at(-1)?.key
    if (after === undefined) return uris
  }
}

function uriOf(record: JsonValue): readonly string[] {
  const uri = isJsonObject(record) ? member(record, 'uri') : undefined
  return typeof uri === 'string' ? [uri] : []
}
