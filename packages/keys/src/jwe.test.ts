import { inspect } from 'node:util'
import { deflateRawSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { chooseEncryptionKey, createDecryptionKey, generateDecryptionKey } from './decryption-key.js'
import { decryptJwe, encryptJwe } from './jwe.js'

type JsonObject = Awaited<ReturnType<typeof decryptJwe>>['header']

const utf8 = (text: string) => new Uint8Array(Buffer.from(text))
const encodeBase64url = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url')

const key = generateDecryptionKey({ kid: 'enc-1' })
const other = generateDecryptionKey()
const ENCS = ['A128GCM', 'A256GCM'] as const
const message = utf8('{"vp_token":{}}')
const expected = { keys: [key, other], encs: ENCS }
const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString()

/** A message whose header was changed after encryption: good enough for all checks before decryption. */
async function withHeader(change: JsonObject): Promise<string> {
  const [header = '', ...rest] = (await encryptJwe(message, { jwk: key.publicJwk, enc: 'A256GCM' })).split(
    '.',
  )
  const changed = { ...JSON.parse(Buffer.from(header, 'base64url').toString()), ...change }
  return [encodeBase64url(utf8(JSON.stringify(changed))), ...rest].join('.')
}

describe('encryptJwe and decryptJwe', () => {
  test.each(ENCS)('carry a message with %s, copying kid and alg of the key', async (enc) => {
    const jwe = await encryptJwe(message, { jwk: key.publicJwk, enc, cty: 'json', typ: 'x' })
    const { plaintext, header } = await decryptJwe(jwe, expected)
    expect(textOf(plaintext)).toBe(textOf(message))
    expect(header).toMatchObject({ alg: 'ECDH-ES', enc, kid: 'enc-1', cty: 'json', typ: 'x' })
    expect(Object.keys(Object(header['epk'])).sort()).toEqual(['crv', 'kty', 'x', 'y'])
    await expect(decryptJwe(jwe, { ...expected, keys: [other] })).rejects.toMatchObject({
      code: 'jwe_key_unknown',
    })
  })

  test('take the only key for a message without kid, and none of several', async () => {
    const jwk = { ...key.publicJwk }
    const { kid: _, ...nameless } = jwk
    const jwe = await encryptJwe(message, { jwk: nameless, enc: 'A128GCM' })
    expect((await decryptJwe(jwe, { ...expected, keys: [key] })).header).not.toHaveProperty('kid')
    await expect(decryptJwe(jwe, expected)).rejects.toMatchObject({ code: 'jwe_key_unknown' })
    await expect(decryptJwe(jwe, { ...expected, keys: [] })).rejects.toMatchObject({
      code: 'jwe_key_unknown',
    })
    const twins = { ...expected, keys: [key, createDecryptionKey(key.privateJwk)] }
    await expect(
      decryptJwe(await encryptJwe(message, { jwk: key.publicJwk, enc: 'A256GCM' }), twins),
    ).rejects.toMatchObject({ code: 'jwe_key_unknown' })
  })

  test('refuse algorithms, encryptions, extensions and compression that were not offered', async () => {
    const rejected = { code: 'jwe_header_rejected' }
    const changes: JsonObject[] = [
      { alg: 'dir' },
      { alg: 'RSA-OAEP' },
      { alg: 'ECDH-ES+A256KW' },
      { enc: 'A128CBC-HS256' },
      { enc: 'A192GCM' },
      { zip: 'DEF' },
      { zip: 'GZIP' },
      { crit: ['x'] },
      { apu: 'a=' },
      { apv: 7 },
    ]
    for (const change of changes)
      await expect(decryptJwe(await withHeader(change), expected)).rejects.toMatchObject(rejected)
    await expect(decryptJwe(await withHeader({}), { ...expected, encs: ['A128GCM'] })).rejects.toMatchObject(
      rejected,
    )
  })

  test('refuse ephemeral keys off the curve, on another one, or with a private half', async () => {
    const { x = '', y = '' } = other.publicJwk
    const bad = [
      { kty: 'EC', crv: 'P-256', x: y, y: x },
      { kty: 'EC', crv: 'P-384', x, y },
      { kty: 'OKP', crv: 'X25519', x },
      { kty: 'EC', crv: 'P-256', x, y, d: x },
      // At these the import itself would throw, as if the fault were ours.
      { kty: 'EC', crv: 'P-256', x, y, key_ops: 'deriveBits' },
      { kty: 'EC', crv: 'P-256', x, y, key_ops: [1] },
      { kty: 'EC', crv: 'P-256', x, y, key_ops: ['deriveBits', 'deriveBits'] },
      'x',
      null,
    ]
    for (const epk of bad) {
      await expect(decryptJwe(await withHeader({ epk }), expected)).rejects.toMatchObject({
        code: 'jwe_header_rejected',
      })
    }
    await expect(decryptJwe(await withHeader({ epk: other.publicJwk }), expected)).rejects.toMatchObject({
      code: 'jwe_decryption_failed',
    })
  })

  test('refuse changed bytes, padding, and any other number of segments', async () => {
    const jwe = await encryptJwe(message, { jwk: key.publicJwk, enc: 'A256GCM' })
    const [header = '', , iv = '', text = '', tag = ''] = jwe.split('.')
    const flip = (value: string) => `${value.startsWith('A') ? 'B' : 'A'}${value.slice(1)}`
    for (const parts of [
      [header, '', iv, text, flip(tag)],
      [header, '', iv, flip(text), tag],
      [header, '', flip(iv), text, tag],
    ]) {
      await expect(decryptJwe(parts.join('.'), expected)).rejects.toMatchObject({
        code: 'jwe_decryption_failed',
      })
    }
    const malformed = [
      '',
      '....',
      `${jwe}.`,
      [header, 'AAAA', iv, text, tag].join('.'),
      [header, '', iv, text, `${tag}==`].join('.'),
      [header, '', iv, text, tag.slice(0, 8)].join('.'),
      [header, '', '', text, tag].join('.'),
      [`${header}=`, '', iv, text, tag].join('.'),
      ['W10', '', iv, text, tag].join('.'),
      ['A'.repeat(5000), '', iv, text, tag].join('.'),
    ]
    for (const bad of malformed) {
      await expect(decryptJwe(bad, expected)).rejects.toMatchObject({ code: 'jwe_malformed' })
    }
  })

  test('look at the length first, and bound what compression may unfold to', async () => {
    await expect(decryptJwe('!'.repeat(262_145), expected)).rejects.toMatchObject({ code: 'jwe_too_large' })
    const zipped = await encryptJwe(message, { jwk: key.publicJwk, enc: 'A256GCM', zip: 'DEF' })
    const allowing = { ...expected, allowDeflate: true }
    expect(textOf((await decryptJwe(zipped, allowing)).plaintext)).toBe(textOf(message))

    const bomb = await encryptJwe(new Uint8Array(2_000_000), {
      jwk: key.publicJwk,
      enc: 'A256GCM',
      zip: 'DEF',
    })
    expect(bomb.length).toBeLessThan(10_000)
    await expect(decryptJwe(bomb, allowing)).rejects.toMatchObject({ code: 'jwe_too_large' })
    expect(deflateRawSync(message).length).toBeGreaterThan(0)
  })

  test('encrypt to no key that is not meant for it', async () => {
    const { alg: _, ...noAlg } = key.publicJwk
    for (const jwk of [
      noAlg,
      { ...key.publicJwk, use: 'sig' },
      { ...key.publicJwk, alg: 'ECDH-ES+A128KW' },
    ]) {
      await expect(encryptJwe(message, { jwk, enc: 'A256GCM' })).rejects.toMatchObject({
        code: 'encryption_key_refused',
      })
    }
  })
})

describe('chooseEncryptionKey', () => {
  const rsa = { kty: 'RSA', alg: 'RSA-OAEP-256', n: 'AQAB', e: 'AQAB', kid: 'rsa' }

  test('takes the first usable key and skips the rest', () => {
    const { alg: _, ...noAlg } = key.publicJwk
    const { use: __, ...noUse } = other.publicJwk
    const keys = [
      rsa,
      { kty: 'AKP' },
      noAlg,
      { ...key.publicJwk, use: 'sig' },
      { ...key.publicJwk, alg: 'ECDH-ES+A256KW' },
    ]
    const chosen = chooseEncryptionKey({ keys: [...keys, noUse, key.publicJwk] }, ['A128GCM', 'A256GCM'])
    expect(chosen).toEqual({ jwk: noUse, enc: 'A256GCM' })
    expect(chooseEncryptionKey({ keys }, ['A256GCM'])).toBeUndefined()
  })

  test('prefers A256GCM, takes A128GCM, and nothing else', () => {
    const jwks = { keys: [key.publicJwk] }
    expect(chooseEncryptionKey(jwks, ['A128GCM'])?.enc).toBe('A128GCM')
    expect(chooseEncryptionKey(jwks, ['A128CBC-HS256', 'A128GCM'])?.enc).toBe('A128GCM')
    expect(chooseEncryptionKey(jwks, ['A128CBC-HS256'])).toBeUndefined()
    expect(chooseEncryptionKey(jwks, [])).toBeUndefined()
  })
})

describe('generateDecryptionKey', () => {
  test('publishes kid, use and alg, and shows its private half to nobody by accident', () => {
    expect(key.publicJwk).toMatchObject({ kid: 'enc-1', use: 'enc', alg: 'ECDH-ES' })
    expect(key.publicJwk).not.toHaveProperty('d')
    const secret = String(key.privateJwk['d'])
    expect(`${JSON.stringify({ key })}${inspect(key, { depth: 9 })}`).not.toContain(secret)
    expect(createDecryptionKey(JSON.parse(JSON.stringify(key.privateJwk))).kid).toBe('enc-1')
    expect(other.kid).toMatch(/^[\w-]{43}$/)
  })

  test('refuses other curves', () => {
    for (const jwk of [null, key.publicJwk]) {
      expect(() => createDecryptionKey(jwk)).toThrow(
        expect.objectContaining({ code: 'private_key_malformed' }),
      )
    }
  })
})
