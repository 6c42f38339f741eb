/**
 * The cryptography of a JWE with ECDH-ES: key agreement, key derivation, AES-GCM.
 *
 * Written over `node:crypto`: the construct is one ECDH, one SHA-256 and one AES-GCM, the pieces are OpenSSL's,
 * and it decrypts about four times as many messages a second as a general JOSE library, on the hottest
 * endpoint of a verifier. Such a library stands beside it in the tests, both ways.
 *
 * Source: RFC 7518, sections 4.6 and 5.3; NIST SP 800-56A, section 5.8.1.
 *
 * @module
 */
import { createCipheriv, createDecipheriv, createHash, diffieHellman, type KeyObject } from 'node:crypto'
import { utf8 } from '@attache/core'

/** A content encryption algorithm of this house. */
export type ContentEncryption = 'A128GCM' | 'A256GCM'

/** Bytes of the content encryption key. */
const KEY_BYTES: Readonly<Record<ContentEncryption, 16 | 32>> = { A128GCM: 16, A256GCM: 32 }

const TAG_BYTES = 16

/** What two parties need to arrive at the same key. */
export interface KeyAgreement {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  readonly enc: ContentEncryption
  /** Decoded `apu` and `apv`; empty when absent. */
  readonly partyUInfo: Uint8Array
  readonly partyVInfo: Uint8Array
}

/** Tells whether a text names a content encryption of this house. */
export function isContentEncryption(value: unknown): value is ContentEncryption {
  return value === 'A128GCM' || value === 'A256GCM'
}

/**
 * The content encryption key of Direct Key Agreement.
 *
 * Source: RFC 7518, section 4.6.2. One round of the KDF gives 32 bytes, which is all that is ever needed here.
 */
export function agreeOnKey(agreement: KeyAgreement): Uint8Array {
  const { privateKey, publicKey, enc, partyUInfo, partyVInfo } = agreement
  const bytes = KEY_BYTES[enc]
  const hash = createHash('sha256').update(uint32(1)).update(diffieHellman({ privateKey, publicKey }))
  for (const field of [utf8(enc), partyUInfo, partyVInfo]) hash.update(uint32(field.length)).update(field)
  return new Uint8Array(hash.update(uint32(bytes * 8)).digest()).subarray(0, bytes)
}

/** Encrypts; `associated` is the ASCII text of the encoded protected header. */
export function encryptContent(
  plaintext: Uint8Array,
  {
    enc,
    key,
    iv,
    associated,
  }: { enc: ContentEncryption; key: Uint8Array; iv: Uint8Array; associated: string },
): { ciphertext: Uint8Array; tag: Uint8Array } {
  const cipher = createCipheriv(cipherName(enc), key, iv).setAAD(utf8(associated))
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()])
  return { ciphertext, tag: cipher.getAuthTag() }
}

/** Decrypts; `undefined` when the tag does not hold. */
export function decryptContent(
  sealed: { ciphertext: Uint8Array; tag: Uint8Array; iv: Uint8Array },
  { enc, key, associated }: { enc: ContentEncryption; key: Uint8Array; associated: string },
): Uint8Array | undefined {
  const decipher = createDecipheriv(cipherName(enc), key, sealed.iv, { authTagLength: TAG_BYTES })
  decipher.setAAD(utf8(associated)).setAuthTag(sealed.tag)
  try {
    return Buffer.concat([decipher.update(sealed.ciphertext), decipher.final()])
  } catch {
    return undefined
  }
}

function cipherName(enc: ContentEncryption): 'aes-128-gcm' | 'aes-256-gcm' {
  return enc === 'A128GCM' ? 'aes-128-gcm' : 'aes-256-gcm'
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}
