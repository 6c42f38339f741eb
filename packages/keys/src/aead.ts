/**
 * AES-GCM as everything sealed here uses it: ciphertext and 128-bit tag in one piece, 96-bit nonce.
 *
 * Key and nonce pairs must not repeat; each caller says why its own cannot.
 *
 * Source: NIST SP 800-38D.
 *
 * @module
 */
import { createCipheriv, createDecipheriv } from 'node:crypto'

/** One use of a key. */
export interface AeadUse {
  /** 16 or 32 bytes: AES-128 or AES-256. */
  readonly key: Uint8Array
  /** 12 bytes. */
  readonly nonce: Uint8Array
  readonly associatedData: Uint8Array
}

/** Bytes of the tag at the end. */
export const TAG_BYTES = 16

/** Bytes of a nonce. */
export const NONCE_BYTES = 12

/** Encrypts; the tag follows the ciphertext. */
export function encryptAead(plaintext: Uint8Array, use: AeadUse): Uint8Array {
  const cipher = createCipheriv(cipherName(use), use.key, use.nonce).setAAD(use.associatedData)
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

/** Decrypts; `undefined` when the tag does not hold. */
export function decryptAead(sealed: Uint8Array, use: AeadUse): Uint8Array | undefined {
  const end = sealed.length - TAG_BYTES
  if (end < 0) return undefined
  const decipher = createDecipheriv(cipherName(use), use.key, use.nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(use.associatedData).setAuthTag(sealed.subarray(end))
  try {
    return Buffer.concat([decipher.update(sealed.subarray(0, end)), decipher.final()])
  } catch {
    return undefined
  }
}

function cipherName({ key }: AeadUse): 'aes-128-gcm' | 'aes-256-gcm' {
  return key.length === 16 ? 'aes-128-gcm' : 'aes-256-gcm'
}
