/**
 * Sealed texts: short facts we hand to a peer and want back unchanged, unread and in time (nonces, states).
 *
 * Nothing is stored, so an endpoint that anyone may call writes nothing. Whether a text was used before is
 * not known here; the caller spends its id in one store step.
 *
 * Form: `<key id>.<base64url of salt, ciphertext and tag>`. Each text has its own AES key, derived from a
 * 128-bit salt: a public endpoint may hand out more texts than one key may seal with random 96-bit nonces.
 *
 * Source: NIST SP 800-38D, section 8.3; RFC 5869.
 *
 * @module
 */
import { hkdfSync } from 'node:crypto'
import {
  decodeBase64url,
  decodeUtf8,
  encodeBase64url,
  isJsonObject,
  type JsonValue,
  member,
  type NumericDate,
  parseJson,
  type Random,
  utf8,
} from '@attache/core'
import { type AeadUse, decryptAead, encryptAead, TAG_BYTES } from './aead.js'
import { misconfiguration } from './error-codes.js'

/** Seals and opens texts. */
export interface Seal {
  /**
   * Seals a value until `expiresAt`.
   *
   * @param options.purpose What the text is for; it opens for the same purpose only.
   * @param options.expiresAt First second at which it no longer opens.
   */
  seal(content: JsonValue, options: { purpose: string; expiresAt: NumericDate }): string
  /** Opens a text: `undefined` when it is not ours, not for this purpose, changed, or expired. */
  open(text: string, options: { purpose: string; now: NumericDate }): JsonValue | undefined
}

/** One sealing key: an id of letters, digits, `-` or `_`, and 32 secret bytes. */
export interface SealKey {
  readonly id: string
  readonly key: Uint8Array
}

const SALT_BYTES = 16
const MAX_TEXT_BYTES = 8192

/**
 * Makes a seal.
 *
 * @param keys The first one seals, all of them open: put a new key in front to rotate.
 * @throws {TypeError} `seal_keys_invalid`: no key, a key that is not 32 bytes, a bad or repeated id.
 *
 * Source: NIST SP 800-38D.
 */
export function createSeal(keys: readonly SealKey[], deps: { random: Random }): Seal {
  const [current] = keys
  const byId = new Map(keys.map((key) => [key.id, Uint8Array.from(key.key)]))
  const sound = keys.every((key) => key.key.length === 32 && /^[\w-]{1,64}$/.test(key.id))
  if (current === undefined || byId.size !== keys.length || !sound) {
    throw misconfiguration('seal_keys_invalid', 'A seal needs keys of 32 bytes with distinct plain ids.')
  }
  return {
    seal(content, { purpose, expiresAt }) {
      const salt = deps.random(SALT_BYTES)
      const plaintext = utf8(JSON.stringify({ e: expiresAt, c: content }))
      const sealed = encryptAead(plaintext, useOf(current, purpose, salt))
      return `${current.id}.${encodeBase64url(Buffer.concat([salt, sealed]))}`
    },
    open(text, { purpose, now }) {
      const opened = openText(text, purpose, byId)
      if (opened === undefined || opened.expiresAt <= now) return undefined
      return opened.content
    },
  }
}

function useOf({ id, key }: SealKey, purpose: string, salt: Uint8Array): AeadUse {
  const derived = new Uint8Array(hkdfSync('sha256', key, salt, 'attache seal v1', 44))
  const associatedData = utf8(JSON.stringify(['attache seal v1', id, purpose]))
  return { key: derived.subarray(0, 32), nonce: derived.subarray(32), associatedData }
}

function openText(sealedText: string, purpose: string, byId: ReadonlyMap<string, Uint8Array>) {
  if (sealedText.length > MAX_TEXT_BYTES) return undefined
  const dot = sealedText.indexOf('.')
  const id = sealedText.slice(0, Math.max(dot, 0))
  const key = byId.get(id)
  const sealed = decodeBase64url(sealedText.slice(dot + 1))
  if (key === undefined || sealed === undefined || sealed.length < SALT_BYTES + TAG_BYTES) return undefined

  const use = useOf({ id, key }, purpose, sealed.subarray(0, SALT_BYTES))
  const plaintext = decryptAead(sealed.subarray(SALT_BYTES), use)
  const text = plaintext === undefined ? undefined : decodeUtf8(plaintext)
  const parsed = text === undefined ? undefined : parseJson(text, { maxDepth: 32 })
  if (parsed?.ok !== true || !isJsonObject(parsed.value)) return undefined
  const [expiresAt, content] = [member(parsed.value, 'e'), member(parsed.value, 'c')]
  return typeof expiresAt === 'number' && content !== undefined ? { expiresAt, content } : undefined
}
