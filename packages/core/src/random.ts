/**
 * Randomness, as it is handed to everything that needs it.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import { encodeBase64url } from './bytes.js'

/** Gives that many unpredictable bytes. */
export type Random = (byteCount: number) => Uint8Array

/** The cryptographically secure generator of the machine. */
export function systemRandom(byteCount: number): Uint8Array {
  return randomBytes(byteCount)
}

/**
 * A random text for nonces, states, codes, tokens and request URIs.
 *
 * @param byteCount Bytes of entropy; 32 give 43 characters.
 */
export function randomText(random: Random, byteCount = 32): string {
  return encodeBase64url(random(byteCount))
}

/**
 * A random identifier of 128 bits behind a prefix that tells its kind: `off_`, `crd_`, `agt_`, `txn_`, `req_`.
 *
 * @param prefix Two to four lower case letters, without the underscore.
 */
export function randomId(random: Random, prefix: string): string {
  return `${prefix}_${encodeBase64url(random(16))}`
}
