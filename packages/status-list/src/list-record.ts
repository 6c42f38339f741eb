/**
 * What is stored of a Status List, and under which keys.
 *
 * Baked into stored data. `status-list/list/<id>`: the record of a list. `status-list/open/<month>/<slot>`: the
 * list that new credentials of an expiry month go to. `status-list/index/<id>/<index>`: the index is given
 * away. `status-list/chunk/<id>/<number>`: 16 KiB of the list's bytes; absent means all VALID, so a new list
 * costs nothing and a change rewrites one chunk, however many credentials there are.
 *
 * @module
 */
import {
  configurationError,
  decodeBase64url,
  encodeBase64url,
  type JsonObject,
  type JsonValue,
  type NumericDate,
  storeKey,
} from '@attache/core'
import { z } from 'zod'
import type { StatusBits } from './status-list.js'

/** Number of the stored format. */
export const LIST_RECORD_VERSION = 1

/** What lies under an index that is given away: that it is there is all it says. */
export const INDEX_TAKEN: JsonObject = { v: LIST_RECORD_VERSION }

/** Bytes of a list that lie in one stored value. */
export const CHUNK_BYTES = 16_384

/** A list without its bytes. */
export interface ListRecord {
  readonly id: string
  /** Stored, not derived: it stands in issued credentials. */
  readonly uri: string
  readonly bits: StatusBits
  /** Entries. */
  readonly size: number
  /** Expiry month of its credentials, `YYYY-MM`, UTC. */
  readonly month: string
  /** When the list is taken down: a month after its last credential expired. */
  readonly retiresAt: NumericDate
  /** Counts the changes. */
  readonly revision: number
}

/** Keys of one tenant's lists. */
export interface ListKeys {
  readonly lists: string
  list(id: string): string
  open(month: string, slot: number): string
  index(id: string, index: number): string
  /** Prefix of all chunks of a list. */
  chunks(id: string): string
  chunk(id: string, number: number): string
}

/** Whether a text can be the id of a list: `lst_` and 128 bits. Ids come from requests, too. */
export const isListId = (text: string): boolean => /^lst_[A-Za-z0-9_-]{22}$/.test(text)

/** The keys of a tenant. */
export function listKeys(tenant: string): ListKeys {
  const key = (kind: string, id: string) => storeKey({ tenant, room: 'status-list', kind, id })
  return {
    lists: key('list', '-').slice(0, -1),
    list: (id) => key('list', id),
    open: (month, slot) => key('open', `${month}/${slot}`),
    index: (id, index) => key('index', `${id}/${index}`),
    chunks: (id) => key('chunk', `${id}/`),
    chunk: (id, number) => key('chunk', `${id}/${String(number).padStart(6, '0')}`),
  }
}

// Built once: building a schema costs a hundred times what it costs to use it.
const recordSchema = z.object({
  v: z.literal(LIST_RECORD_VERSION),
  id: z.string(),
  uri: z.string(),
  bits: z.union([z.literal(1), z.literal(2), z.literal(4), z.literal(8)]),
  size: z.int().positive(),
  month: z.string(),
  retires_at: z.int(),
  revision: z.int(),
})
const openListSchema = z.object({ v: z.literal(LIST_RECORD_VERSION), list: z.string() })
const chunkSchema = z.object({ v: z.literal(LIST_RECORD_VERSION), bytes: z.string() })

/** A record as stored. */
export function listRecordToJson(record: ListRecord): JsonObject {
  const { id, uri, bits, size, month, retiresAt, revision } = record
  return { v: LIST_RECORD_VERSION, id, uri, bits, size, month, retires_at: retiresAt, revision }
}

/**
 * Parses a stored record.
 *
 * @throws {TypeError} `status_list_format_unknown`: a later release wrote it, or something else did.
 */
export function parseListRecord(value: JsonValue): ListRecord {
  const parsed = recordSchema.safeParse(value)
  if (!parsed.success) throw unknownFormat()
  const { id, uri, bits, size, month, retires_at: retiresAt, revision } = parsed.data
  return { id, uri, bits, size, month, retiresAt, revision }
}

/** A pointer to the open list, as stored. */
export const openListToJson = (id: string): JsonObject => ({ v: LIST_RECORD_VERSION, list: id })

/** Parses the pointer to the open list. @throws {TypeError} `status_list_format_unknown`. */
export function parseOpenList(value: JsonValue): string {
  const parsed = openListSchema.safeParse(value)
  if (!parsed.success) throw unknownFormat()
  return parsed.data.list
}

/** A chunk as stored. */
export const chunkToJson = (bytes: Uint8Array): JsonObject => ({
  v: LIST_RECORD_VERSION,
  bytes: encodeBase64url(bytes),
})

/** Parses a stored chunk. @throws {TypeError} `status_list_format_unknown`. */
export function parseChunk(value: JsonValue): Uint8Array {
  const parsed = chunkSchema.safeParse(value)
  const bytes = parsed.success ? decodeBase64url(parsed.data.bytes) : undefined
  if (bytes === undefined) throw unknownFormat()
  return bytes
}

const unknownFormat = () =>
  configurationError(
    'status_list_format_unknown',
    'A stored Status List cannot be read by this release: start the release that wrote it.',
  )
