import { encodeBase64url, utf8 } from '@attache/core'
import { decryptJwe, encryptJwe, generateDecryptionKey } from '@attache/keys'
import { CompactEncrypt, compactDecrypt, importJWK } from 'jose'
import { describe, expect, test } from 'vitest'

const key = generateDecryptionKey({ kid: 'enc-1' })
const ENCS = ['A128GCM', 'A256GCM'] as const
const message = utf8('{"vp_token":{}}')
const expected = { keys: [key], encs: ENCS }
const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString()

describe('encryptJwe and decryptJwe beside jose', () => {
  test.each(ENCS)('agree with another implementation on %s, both ways', async (enc) => {
    const party = { apu: encodeBase64url(utf8('Alice')), apv: encodeBase64url(utf8('Bob')) }
    const ours = await encryptJwe(message, { jwk: key.publicJwk, enc, ...party })
    const read = await compactDecrypt(ours, await importJWK({ ...key.privateJwk }, 'ECDH-ES'))
    expect(textOf(read.plaintext)).toBe(textOf(message))
    expect(read.protectedHeader).toMatchObject(party)

    const theirs = await new CompactEncrypt(message)
      .setProtectedHeader({ alg: 'ECDH-ES', enc, kid: key.kid, ...party })
      .setKeyManagementParameters({ apu: utf8('Alice'), apv: utf8('Bob') })
      .encrypt(await importJWK({ ...key.publicJwk }, 'ECDH-ES'))
    expect(textOf((await decryptJwe(theirs, expected)).plaintext)).toBe(textOf(message))
  })
})
