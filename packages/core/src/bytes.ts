/**
 * Bytes and text: strict base64url both ways, strict UTF-8, comparison in constant time.
 *
 * Knows no protocol. What a malformed text means (which code, which status) is the caller's to say.
 *
 * Source: RFC 4648, sections 3.5 and 5; RFC 7515, section 2.
 *
 * @module
 */
import { Buffer } from 'node:buffer'
import { timingSafeEqual } from 'node:crypto'

const BASE64URL = /^[A-Za-z0-9_-]*$/
// What the last character of a 2- or 3-character rest may be, so that its unused bits are zero.
const LAST_OF_TWO = /[AQgw]$/
const LAST_OF_THREE = /[AEIMQUYcgkosw048]$/

/**
 * Encodes bytes as base64url without padding.
 *
 * Source: RFC 7515, section 2.
 */
export function encodeBase64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url')
}

/**
 * Tells whether a text is strict base64url: its alphabet only, no padding, a possible length, and zero
 * in the bits that the last character leaves over.
 *
 * Source: RFC 4648, section 3.5.
 */
export function isBase64url(text: string): boolean {
  const rest = text.length % 4
  if (rest === 1 || !BASE64URL.test(text)) return false
  if (rest === 2) return LAST_OF_TWO.test(text)
  return rest === 0 || LAST_OF_THREE.test(text)
}

/**
 * Decodes strict base64url.
 *
 * @returns The bytes, or `undefined` for anything that {@link isBase64url} does not accept: of all texts
 * that a lenient decoder maps to the same bytes, exactly one is accepted.
 *
 * Source: RFC 7515, section 2.
 */
export function decodeBase64url(text: string): Uint8Array | undefined {
  return isBase64url(text) ? Buffer.from(text, 'base64url') : undefined
}

/** Encodes text as UTF-8. */
export function utf8(text: string): Uint8Array {
  return Buffer.from(text, 'utf8')
}

/**
 * Decodes UTF-8, a byte order mark kept.
 *
 * @returns The text, or `undefined` when the bytes are not well-formed UTF-8; nothing is replaced.
 */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** Compares two texts in a time that does not depend on where they differ (their lengths are not hidden). */
export function equalText(a: string, b: string): boolean {
  const left = Buffer.from(a, 'utf8')
  const right = Buffer.from(b, 'utf8')
  return left.length === right.length && timingSafeEqual(left, right)
}
