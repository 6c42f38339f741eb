import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto'
import { encodeBase64url, isJsonObject, parseJson, utf8 } from '@attache/core'
import { decryptJwe, encryptJwe, generateDecryptionKey } from '@attache/keys'
import { describe, expect, test } from 'vitest'

/**
 * ECDH-ES with AES-GCM over node:crypto alone: what the rooms leave to a library, written a second time here,
 * so that a message is known to be right because two implementations agree on it.
 *
 * Source: RFC 7518, sections 4.6.2 and 5.3.
 */
const ENCS = { A128GCM: 16, A256GCM: 32 } as const
type Enc = keyof typeof ENCS

const uint32 = (value: number) => Buffer.from([value >>> 24, value >>> 16, value >>> 8, value])
const sized = (bytes: Uint8Array) => Buffer.concat([uint32(bytes.length), bytes])

function agree(keys: { privateKey: KeyObject; publicKey: KeyObject }, enc: Enc, parties: readonly string[]) {
  const hash = createHash('sha256').update(uint32(1)).update(diffieHellman(keys))
  for (const field of [enc, ...parties]) hash.update(sized(utf8(field)))
  return hash
    .update(uint32(ENCS[enc] * 8))
    .digest()
    .subarray(0, ENCS[enc])
}

const cipherOf = (enc: Enc) => (enc === 'A128GCM' ? 'aes-128-gcm' : 'aes-256-gcm')
const bytesOf = (text: string | undefined) => Buffer.from(text ?? '', 'base64url')
const objectOf = (text: string) => {
  const parsed = parseJson(text)
  return parsed.ok && isJsonObject(parsed.value) ? parsed.value : {}
}

const key = generateDecryptionKey({ kid: 'enc-1' })
const message = utf8('{"vp_token":{}}')

describe.each(['A128GCM', 'A256GCM'] as const)('encryptJwe and decryptJwe beside node:crypto, %s', (enc) => {
  test('the other implementation reads what ours writes', async () => {
    const party = { apu: encodeBase64url(utf8('Alice')), apv: encodeBase64url(utf8('Bob')) }
    const jwe = await encryptJwe(message, { jwk: key.publicJwk, enc, ...party })
    const [head, , nonce, ciphertext, tag] = jwe.split('.')
    const header = objectOf(bytesOf(head).toString())
    const epk = isJsonObject(header['epk']) ? header['epk'] : {}
    const publicKey = createPublicKey({ key: { ...epk }, format: 'jwk' })
    const cek = agree({ privateKey: key.keyObject, publicKey }, enc, ['Alice', 'Bob'])
    const decipher = createDecipheriv(cipherOf(enc), cek, bytesOf(nonce))
    decipher.setAAD(utf8(head ?? '')).setAuthTag(bytesOf(tag))

    expect(header).toMatchObject({ alg: 'ECDH-ES', enc, kid: 'enc-1', ...party })
    expect(Buffer.concat([decipher.update(bytesOf(ciphertext)), decipher.final()]).equals(message)).toBe(true)
  })

  test('ours reads what the other implementation writes', async () => {
    const { privateKey, publicKey: ephemeral } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const epk = objectOf(JSON.stringify(ephemeral.export({ format: 'jwk' })))
    const publicKey = createPublicKey({ key: { ...key.publicJwk }, format: 'jwk' })
    const head = encodeBase64url(utf8(JSON.stringify({ alg: 'ECDH-ES', enc, kid: key.kid, epk })))
    const nonce = Buffer.alloc(12, 7)
    const cipher = createCipheriv(cipherOf(enc), agree({ privateKey, publicKey }, enc, ['', '']), nonce)
    cipher.setAAD(utf8(head))
    const ciphertext = Buffer.concat([cipher.update(message), cipher.final()])
    const jwe = [head, '', ...[nonce, ciphertext, cipher.getAuthTag()].map(encodeBase64url)].join('.')

    const { plaintext } = await decryptJwe(jwe, { keys: [key], encs: [enc] })
    expect(Buffer.from(plaintext).equals(message)).toBe(true)
  })
})
