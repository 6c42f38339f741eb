/**
 * A master key from a passphrase, where no better place for a key exists.
 *
 * Source: RFC 7914, sections 2 and 6; OWASP Password Storage (parameters).
 *
 * @module
 */
import { scrypt } from 'node:crypto'
import {
  decodeBase64url,
  encodeBase64url,
  isJsonObject,
  type JsonObject,
  member,
  type Random,
} from '@attache/core'
import { misconfiguration } from './error-codes.js'

/** Cost of a new derivation: 128 MiB of memory and about half a second. */
const COST = { N: 131_072, r: 8, p: 1 } as const

/** Most memory a stored parameter set may ask for. */
const MAX_MEMORY_BYTES = 512 * 1024 * 1024

/**
 * Makes the parameters of a new derivation: JSON to be stored beside what the key seals. Not a secret.
 *
 * Source: RFC 7914, section 2.
 */
export function createPassphraseParameters(deps: { random: Random }): JsonObject {
  return { v: 1, kdf: 'scrypt', ...COST, salt: encodeBase64url(deps.random(16)) }
}

/**
 * Derives the 32 bytes of a master key.
 *
 * @param passphrase At least 12 characters, compared in Unicode normalization form C.
 * @param parameters As `createPassphraseParameters` made them.
 * @throws {TypeError} `passphrase_too_short`; `passphrase_parameters_invalid`: unknown, weaker than we make them,
 *   or asking for more than 512 MiB.
 *
 * Source: RFC 7914, section 6.
 */
export async function deriveMasterKey(passphrase: string, parameters: JsonObject): Promise<Uint8Array> {
  const normalized = passphrase.normalize('NFC')
  if (normalized.length < 12) {
    throw misconfiguration('passphrase_too_short', 'The passphrase needs at least 12 characters.')
  }
  const { salt, ...cost } = parseParameters(parameters)
  const maxmem = MAX_MEMORY_BYTES + 1024 * 1024
  return new Promise((resolve, reject) => {
    scrypt(normalized, salt, 32, { ...cost, maxmem }, (error, key) => {
      if (error === null) resolve(new Uint8Array(key))
      else reject(error)
    })
  })
}

function parseParameters(parameters: JsonObject): { N: number; r: number; p: number; salt: Uint8Array } {
  const [N, r, p, salt] = ['N', 'r', 'p', 'salt'].map((name) => member(parameters, name))
  const known =
    isJsonObject(parameters) && member(parameters, 'v') === 1 && member(parameters, 'kdf') === 'scrypt'
  const saltBytes = typeof salt === 'string' ? decodeBase64url(salt) : undefined
  if (!known || typeof N !== 'number' || typeof r !== 'number' || typeof p !== 'number') throw invalid()
  const sound = N >= COST.N && (N & (N - 1)) === 0 && r >= COST.r && p >= 1 && p <= 16
  if (!sound || 128 * N * r > MAX_MEMORY_BYTES || saltBytes === undefined || saltBytes.length < 16)
    throw invalid()
  return { N, r, p, salt: saltBytes }
}

function invalid(): TypeError {
  return misconfiguration(
    'passphrase_parameters_invalid',
    'The stored scrypt parameters are not ones that were made here.',
  )
}
