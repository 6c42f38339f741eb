/**
 * What all stored values of this room have in common: a version, and a place.
 *
 * Owns the key layout of the room and the refusal of data from a newer release. Each record has its own file
 * with its parser and its migration.
 *
 * Source: the house design, section Decided once.
 *
 * @module
 */
import {
  configurationError,
  encodeBase64url,
  isJsonObject,
  type JsonValue,
  member,
  type Store,
  type StoredEntry,
  storeKey,
  utf8,
} from '@attache/core'
import { sha256 } from '@attache/keys'

/** The version this release writes. */
export const RECORD_VERSION = 1

/** The kinds of records of this room. */
export type RecordKind =
  | 'person'
  | 'agent'
  | 'offer'
  | 'pushed-request'
  | 'authorization-code'
  | 'grant'
  | 'access-token'
  | 'refresh-token'
  | 'nonce-used'
  | 'credential'
  | 'credential-of-agent'
  | 'credential-of-owner'
  | 'transaction'
  | 'notification'
  | 'email'
  | 'format'

/** Keys of one tenant's records. */
export interface RecordKeys {
  /** Which tenant and room, for rooms that write steps of their own. */
  readonly place: { readonly tenant: string; readonly room: string }
  /** Key of a record whose id is plain ASCII of ours. */
  of(kind: RecordKind, id: string): string
  /** Key of a record found by a secret or by a text from outside: the store sees a hash only. */
  hashed(kind: RecordKind, text: string): string
}

/** Makes the keys of one tenant. */
export function createRecordKeys(tenant: string): RecordKeys {
  const place = { tenant, room: 'issuer' }
  return {
    place,
    of: (kind, id) => storeKey({ ...place, kind, id }),
    hashed: (kind, text) => storeKey({ ...place, kind, id: textHash(text) }),
  }
}

/** All entries under a prefix, a page at a time. */
export async function* entriesUnder(
  prefix: string,
  store: Pick<Store, 'list'>,
): AsyncGenerator<StoredEntry, void> {
  let page = await store.list(prefix)
  while (page.length > 0) {
    yield* page
    page = await store.list(prefix, page.at(-1)?.key)
  }
}

/** SHA-256 of a text, base64url. */
export function textHash(text: string): string {
  return encodeBase64url(sha256(utf8(text)))
}

/** Refuses a value that a newer release wrote. @throws {TypeError} `stored_data_newer`. */
export function checkRecordVersion(value: JsonValue): JsonValue {
  const version = isJsonObject(value) ? member(value, 'v') : undefined
  if (typeof version === 'number' && version > RECORD_VERSION) {
    throw configurationError(
      'stored_data_newer',
      'The data folder was written by a newer release. Start that release, or restore an older copy.',
    )
  }
  return value
}
