/**
 * Hashes of bytes and of ASCII texts.
 *
 * Source: FIPS 180-4; RFC 9901, section 4.2.3 (digests are made over the text as received).
 *
 * @module
 */
import { createHash, hash } from 'node:crypto'

/** A hash name as the IANA Named Information registry and `_sd_alg` write it. */
export type HashAlgorithm = 'sha-256' | 'sha-384' | 'sha-512'

const NODE_NAMES: Readonly<Record<HashAlgorithm, string>> = {
  'sha-256': 'sha256',
  'sha-384': 'sha384',
  'sha-512': 'sha512',
}

/**
 * SHA-256 of bytes: 32 bytes.
 *
 * Source: FIPS 180-4, section 6.2.
 */
export function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest())
}

/**
 * Hash of a text, in base64url without padding.
 *
 * @param text ASCII, as all encoded Disclosures and compact tokens are.
 *
 * Source: RFC 9901, section 4.2.3.
 */
export function digest(algorithm: HashAlgorithm, text: string): string {
  return hash(NODE_NAMES[algorithm], text, 'base64url')
}
