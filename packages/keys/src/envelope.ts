/**
 * Envelopes: stored records that are worth nothing without the master key, and nothing in another place.
 *
 * Each record has its own AES-256 key, wrapped by the master key. What the caller hands in as associated data
 * (the store key, the agent) is bound to both layers, so a record moved to another key or agent does not
 * open. Turning the master key over rewraps data keys and leaves the records as they are.
 *
 * Source: NIST SP 800-38D, section 8.2.2; NIST SP 800-57 part 1, section 6.2.
 *
 * @module
 */
import {
  decodeBase64url,
  decodeUtf8,
  encodeBase64url,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  member,
  parseJson,
  type Random,
  utf8,
  type VerificationError,
} from '@attache/core'
import { type AeadUse, decryptAead, encryptAead, NONCE_BYTES } from './aead.js'
import { misconfiguration, refusal } from './error-codes.js'

/** A key that wraps data keys: an id that is stored with each record, and 32 secret bytes. */
export interface MasterKey {
  readonly id: string
  readonly key: Uint8Array
}

/** Seals stored records. A KMS fits behind it, which is why every verb is asynchronous. */
export interface Envelope {
  /**
   * Seals a value.
   *
   * @param associatedData Where the record belongs, for example its store key. Not stored; asked for at opening.
   * @returns A JSON object to be stored: `v`, `k` (master key id), `w` (wrapped data key), `c` (content).
   */
  seal(content: JsonValue, associatedData: string): Promise<JsonObject>
  /**
   * Opens a sealed record.
   *
   * @throws {VerificationError} `record_malformed`, `record_version_unknown`, `record_master_key_unknown`;
   *   `record_changed`: it was altered, or belongs elsewhere.
   */
  open(record: JsonValue, associatedData: string): Promise<JsonValue>
  /**
   * Wraps the data key of a record with the current master key; the content stays byte for byte.
   *
   * @throws {VerificationError} As `open`.
   */
  rewrap(record: JsonValue, associatedData: string): Promise<JsonObject>
}

/** Members of a stored record, parsed. */
interface SealedRecord {
  readonly masterKeyId: string
  readonly wrapped: Uint8Array
  readonly content: string
}

const VERSION = 1

/**
 * Makes an envelope over master keys held in this process.
 *
 * @param masterKeys The first one wraps, all of them open.
 * @throws {TypeError} `master_keys_invalid`: none, one that is not 32 bytes, an empty or repeated id.
 *
 * Source: NIST SP 800-57 part 1, section 6.2.
 */
export function createEnvelope(masterKeys: readonly MasterKey[], deps: { random: Random }): Envelope {
  const [current] = masterKeys
  const byId = new Map(masterKeys.map(({ id, key }) => [id, Uint8Array.from(key)]))
  const sound = masterKeys.every(({ id, key }) => id !== '' && key.length === 32)
  if (current === undefined || byId.size !== masterKeys.length || !sound) {
    throw misconfiguration(
      'master_keys_invalid',
      'An envelope needs master keys of 32 bytes with distinct ids.',
    )
  }
  const wrap = (dataKey: Uint8Array, place: string) =>
    sealBytes(dataKey, { key: current.key, context: ['data key', current.id, place] }, deps.random)
  const unwrap = ({ masterKeyId, wrapped }: SealedRecord, place: string) => {
    const key = byId.get(masterKeyId)
    if (key === undefined)
      throw refusal('record_master_key_unknown', 'The master key of a record is missing.')
    return openBytes(wrapped, { key, context: ['data key', masterKeyId, place] })
  }
  return {
    async seal(content, place) {
      const dataKey = deps.random(32)
      const plaintext = utf8(JSON.stringify(content))
      const sealed = sealBytes(plaintext, { key: dataKey, context: ['record', place] }, deps.random)
      return recordOf(current.id, wrap(dataKey, place), encodeBase64url(sealed))
    },
    async open(record, place) {
      const parsed = parseRecord(record)
      const sealed = decodeBase64url(parsed.content) ?? new Uint8Array()
      return parseContent(openBytes(sealed, { key: unwrap(parsed, place), context: ['record', place] }))
    },
    async rewrap(record, place) {
      const parsed = parseRecord(record)
      return recordOf(current.id, wrap(unwrap(parsed, place), place), parsed.content)
    },
  }
}

interface Use {
  readonly key: Uint8Array
  readonly context: readonly string[]
}

/** Nonces are random: a data key seals once, a master key stays far below 2^32 records. */
function sealBytes(plaintext: Uint8Array, use: Use, random: Random): Uint8Array {
  const nonce = random(NONCE_BYTES)
  return Buffer.concat([nonce, encryptAead(plaintext, aeadUse(use, nonce))])
}

function openBytes(sealed: Uint8Array, use: Use): Uint8Array {
  const nonce = sealed.subarray(0, NONCE_BYTES)
  const opened =
    nonce.length < NONCE_BYTES ? undefined : decryptAead(sealed.subarray(NONCE_BYTES), aeadUse(use, nonce))
  if (opened !== undefined) return opened
  throw refusal('record_changed', 'A stored record was altered, or moved from where it belongs.')
}

function aeadUse({ key, context }: Use, nonce: Uint8Array): AeadUse {
  return { key, nonce, associatedData: utf8(JSON.stringify(['attache envelope v1', ...context])) }
}

function recordOf(masterKeyId: string, wrapped: Uint8Array, content: string): JsonObject {
  return { v: VERSION, k: masterKeyId, w: encodeBase64url(wrapped), c: content }
}

function parseRecord(record: JsonValue): SealedRecord {
  if (!isJsonObject(record)) throw malformed()
  const [version, masterKeyId, wrapped, content] = ['v', 'k', 'w', 'c'].map((name) => member(record, name))
  if (typeof version === 'number' && version > VERSION) {
    throw refusal('record_version_unknown', 'A stored record was written by a newer release.')
  }
  const wrappedBytes = typeof wrapped === 'string' ? decodeBase64url(wrapped) : undefined
  if (version !== VERSION || typeof masterKeyId !== 'string' || typeof content !== 'string') throw malformed()
  if (wrappedBytes === undefined) throw malformed()
  return { masterKeyId, wrapped: wrappedBytes, content }
}

function parseContent(plaintext: Uint8Array): JsonValue {
  const text = decodeUtf8(plaintext)
  // Deeper than any message: what is in here was written by ourselves.
  const parsed = text === undefined ? undefined : parseJson(text, { maxDepth: 64 })
  if (parsed?.ok !== true) throw malformed()
  return parsed.value
}

function malformed(): VerificationError {
  return refusal('record_malformed', 'A stored record is not one that an envelope has written.')
}
