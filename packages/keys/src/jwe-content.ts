/**
 * The content encryption algorithms of this house.
 *
 * Source: RFC 7518, section 5.3; HAIP 1.0, section 5.
 *
 * @module
 */

/** A content encryption algorithm. */
export type ContentEncryption = 'A128GCM' | 'A256GCM'

/** Tells whether a text names a content encryption of this house. */
export function isContentEncryption(value: unknown): value is ContentEncryption {
  return value === 'A128GCM' || value === 'A256GCM'
}
