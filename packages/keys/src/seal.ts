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
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import {
  configurationError,
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
const TAG_BYTES = 16
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
    throw configurationError('seal_keys_invalid', 'A seal needs keys of 32 bytes with distinct plain ids.')
  }
  return {
    seal(content, { purpose, expiresAt }) {
      const salt = deps.random(SALT_BYTES)
      const plaintext = utf8(JSON.stringify({ e: expiresAt, c: content }))
      return `${current.id}.${encodeBase64url(encrypt(plaintext, material(current, purpose, salt)))}`
    },
    open(text, { purpose, now }) {
      const opened = openText(text, purpose, byId)
      if (opened === undefined || opened.expiresAt <= now) return undefined
      return opened.content
    },
  }
}

interface Material {
  readonly key: Uint8Array
  readonly iv: Uint8Array
  readonly salt: Uint8Array
  readonly associated: Uint8Array
}

function material({ id, key }: SealKey, purpose: string, salt: Uint8Array): Material {
  const derived = new Uint8Array(hkdfSync('sha256', key, salt, 'attache seal v1', 44))
  const associated = utf8(JSON.stringify(['attache seal v1', id, purpose]))
  return { key: derived.subarray(0, 32), iv: derived.subarray(32), salt, associated }
}

function encrypt(plaintext: Uint8Array, { key, iv, salt, associated }: Material): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(associated)
  return Buffer.concat([salt, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

function openText(text: string, purpose: string, byId: ReadonlyMap<string, Uint8Array>) {
  if (text.length > MAX_TEXT_BYTES) return undefined
  const dot = text.indexOf('.')
  const id = text.slice(0, Math.max(dot, 0))
  const key = byId.get(id)
  const sealed = decodeBase64url(text.slice(dot + 1))
  if (key === undefined || sealed === undefined || sealed.length < SALT_BYTES + TAG_BYTES) return undefined

  const plaintext = decrypt(sealed, material({ id, key }, purpose, sealed.subarray(0, SALT_BYTES)))
  const parsed = plaintext === undefined ? undefined : parseJson(plaintext, { maxDepth: 32 })
  if (parsed?.ok !== true || !isJsonObject(parsed.value)) return undefined
  const [expiresAt, content] = [member(parsed.value, 'e'), member(parsed.value, 'c')]
  return typeof expiresAt === 'number' && content !== undefined ? { expiresAt, content } : undefined
}

function decrypt(sealed: Uint8Array, { key, iv, associated }: Material): string | undefined {
  const end = sealed.length - TAG_BYTES
  const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES })
  decipher.setAAD(associated).setAuthTag(sealed.subarray(end))
  try {
    return decodeUtf8(Buffer.concat([decipher.update(sealed.subarray(SALT_BYTES, end)), decipher.final()]))
  } catch {
    return undefined // The tag does not hold: not ours, changed, or for another purpose.
  }
}
