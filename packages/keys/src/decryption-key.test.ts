import { decodeUtf8, utf8 } from '@attache/core'
import { describe, expect, test } from 'vitest'
import {
  createDecryptionKey,
  deriveDecryptionKey,
  generateDecryptionKey,
  publishedDecryptionKey,
} from './decryption-key.js'
import { decryptJwe, encryptJwe } from './jwe.js'

const secret = new Uint8Array(32).fill(7)

describe('deriveDecryptionKey', () => {
  test('gives the same key again, another one for another secret or purpose', () => {
    const key = deriveDecryptionKey(secret, 'a')
    expect(deriveDecryptionKey(secret, 'a').privateJwk).toEqual(key.privateJwk)
    const others = [deriveDecryptionKey(secret, 'b'), deriveDecryptionKey(secret.with(0, 8), 'a')]
    expect(new Set([key, ...others].map(({ kid }) => kid)).size).toBe(3)
    expect(key.publicJwk).toMatchObject({ crv: 'P-256', use: 'enc', alg: 'ECDH-ES' })
    expect(JSON.stringify(key)).not.toContain('"d"')
  })

  test('gives a key that decrypts, whatever the secret', async () => {
    for (let round = 0; round < 50; round += 1) {
      const key = deriveDecryptionKey(secret.with(1, round), 'a')
      const text = await encryptJwe(utf8('{}'), { jwk: key.publicJwk, enc: 'A256GCM' })
      // Its halves belong together: what is sealed under the public one opens with the private one, imported anew.
      const opened = await decryptJwe(text, {
        keys: [createDecryptionKey(key.privateJwk)],
        encs: ['A256GCM'],
      })
      expect(new TextDecoder().decode(opened.plaintext)).toBe('{}')
    }
  })

  test('refuses a short secret', () => {
    expect(() => deriveDecryptionKey(secret.subarray(1), 'a')).toThrow(
      expect.objectContaining({ code: 'private_key_malformed' }),
    )
  })
})

describe('generateDecryptionKey', () => {
  test('gives what importing its private half gives, and it decrypts', async () => {
    for (const options of [undefined, { kid: 'of-my-own' }]) {
      const key = generateDecryptionKey(options)
      const again = createDecryptionKey(key.privateJwk)
      expect(again.publicJwk).toEqual(key.publicJwk)
      expect(again.privateJwk).toEqual(key.privateJwk)
      expect(key.kid).toBe(options?.kid ?? again.kid)
      const jwe = await encryptJwe(utf8('for you'), { jwk: key.publicJwk, enc: 'A256GCM' })
      for (const holder of [key, again]) {
        const { plaintext } = await decryptJwe(jwe, { keys: [holder], encs: ['A256GCM'] })
        expect(decodeUtf8(plaintext)).toBe('for you')
      }
    }
  })
})

describe('publishedDecryptionKey', () => {
  test('gives the public half as the key itself published it', () => {
    const key = generateDecryptionKey()
    expect(publishedDecryptionKey(key.privateJwk)).toEqual(key.publicJwk)
    expect(publishedDecryptionKey(key.privateJwk)).not.toHaveProperty('d')
  })

  test.each([['kty'], ['crv'], ['x'], ['y'], ['kid']])('refuses a record without %s', (name) => {
    const { [name]: _gone, ...rest } = generateDecryptionKey().privateJwk
    expect(() => publishedDecryptionKey(rest)).toThrow(
      expect.objectContaining({ code: 'private_key_malformed' }),
    )
  })
})
