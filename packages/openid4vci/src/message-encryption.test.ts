import { deflateRawSync } from 'node:zlib'
import type { JsonObject, JsonValue } from '@attache/core'
import { type DecryptionKey, encryptJwe, generateDecryptionKey, type JweRecipient } from '@attache/keys'
import { describe, expect, test } from 'vitest'
import { makeCredentialRequest, parseCredentialRequest } from './credential-request.js'
import { makeCredentialResponse } from './credential-response.js'
import {
  decryptCredentialRequest,
  decryptCredentialResponse,
  encryptCredentialRequest,
  encryptCredentialResponse,
  makeResponseEncryption,
  parseResponseEncryption,
} from './message-encryption.js'

const issuerKey = generateDecryptionKey({ kid: 'enc-1' })
const secondKey = generateDecryptionKey({ kid: 'enc-2' })
const walletKey = generateDecryptionKey({ kid: 'w-1' })
const expected = { keys: [issuerKey, secondKey], encs: ['A128GCM', 'A256GCM'] as const }
const requestOffer = {
  jwks: [issuerKey.publicJwk, secondKey.publicJwk],
  encValues: ['A128GCM', 'A256GCM'],
  required: true,
}
const responseOffer = { algValues: ['ECDH-ES'], encValues: ['A128GCM', 'A256GCM'], required: false }
const asked = makeResponseEncryption({ jwk: walletKey.publicJwk, enc: 'A256GCM' })
const request = makeCredentialRequest({
  wanted: { by: 'identifier', credentialIdentifier: 'ds-7f3a91' },
  proofs: { type: 'jwt', values: ['a.b.c'] },
  responseEncryption: asked,
})
const utf8 = (text: string) => new TextEncoder().encode(text)
const headerOf = (jwe: string): JsonObject =>
  JSON.parse(Buffer.from(jwe.split('.')[0] ?? '', 'base64url').toString())
const sealed = (text: string, change: Partial<JweRecipient> = {}) =>
  encryptJwe(utf8(text), { jwk: issuerKey.publicJwk, enc: 'A256GCM', ...change })
const requestRefused = { name: 'ProtocolError', code: 'invalid_credential_request' }
const parametersRefused = expect.objectContaining({
  name: 'ProtocolError',
  code: 'invalid_encryption_parameters',
})

describe('encrypted Credential Requests', () => {
  test('open to the plain request: key by kid, alg of the key, enc of the list [VCI-I-ENC-01]', async () => {
    const jwe = await encryptCredentialRequest(request, requestOffer)
    expect(headerOf(jwe)).toMatchObject({ alg: 'ECDH-ES', enc: 'A256GCM', kid: 'enc-1' })
    const opened = await decryptCredentialRequest(jwe, expected)
    expect(opened).toEqual(request)
    expect(parseCredentialRequest(opened)).toEqual(parseCredentialRequest(request))
    for (const change of [
      { jwk: secondKey.publicJwk },
      { enc: 'A128GCM' },
      { cty: 'json', typ: 'JWT' },
    ] as const) {
      const other = await sealed(JSON.stringify(request), change)
      await expect(decryptCredentialRequest(other, expected)).resolves.toEqual(request)
    }
  })

  test.each([
    ['without kid', async () => sealed('{}', { jwk: withoutKid(issuerKey) })],
    ['with the kid of nobody', async () => sealed('{}', { jwk: { ...issuerKey.publicJwk, kid: 'enc-9' } })],
    ['to another key of the same kid', async () => sealed('{}', { jwk: strangersKey('enc-1') })],
    ['compressed', async () => sealed('{}', { zip: 'DEF' })],
    ['with a flipped tag', async () => `${(await sealed('{}')).slice(0, -22)}AAAAAAAAAAAAAAAAAAAAAA`],
    ['without JSON inside', async () => sealed('{"a":')],
    ['with a member twice inside', async () => sealed('{"a":1,"a":2}')],
    ['with bytes that are no text', async () => encryptJwe(new Uint8Array([0xff]), ours())],
    ['that are none', async () => 'a.b.c.d.e'],
    ['that are signed', async () => 'eyJhbGciOiJub25lIn0.e30.'],
    ['that are empty', async () => ''],
  ])('are refused %s [VCI-I-ENC-01]', async (_, make) => {
    await expect(decryptCredentialRequest(await make(), expected)).rejects.toMatchObject(requestRefused)
    await expect(decryptCredentialRequest(await sealed('{}'), expected)).resolves.toEqual({})
  })

  test('name their key even where only one is published [VCI-I-ENC-01]', async () => {
    const only = { ...expected, keys: [issuerKey] }
    const nameless = await sealed('{}', { jwk: withoutKid(issuerKey) })
    await expect(decryptCredentialRequest(nameless, only)).rejects.toMatchObject(requestRefused)
    await expect(decryptCredentialRequest(await sealed('{}'), only)).resolves.toEqual({})
  })

  test('are refused with an enc that is not published [VCI-I-ENC-01]', async () => {
    const jwe = await sealed('{}', { enc: 'A128GCM' })
    await expect(decryptCredentialRequest(jwe, { ...expected, encs: ['A256GCM'] })).rejects.toMatchObject(
      requestRefused,
    )
    await expect(decryptCredentialRequest(jwe, expected)).resolves.toEqual({})
  })

  test('a bomb is refused before it is inflated [VCI-I-ENC-07]', async () => {
    const bomb = `{"a":"${'a'.repeat(16 * 1024 * 1024)}"}`
    const small = deflateRawSync(bomb)
    expect(small.length).toBeLessThan(100_000)
    const jwe = await sealed(bomb, { zip: 'DEF' })
    const before = process.memoryUsage().arrayBuffers
    await expect(decryptCredentialRequest(jwe, expected)).rejects.toMatchObject(requestRefused)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 * 1024)
    const long = await sealed(`{"a":"${'a'.repeat(300_000)}"}`)
    await expect(decryptCredentialRequest(long, expected)).rejects.toMatchObject(requestRefused)
    await expect(decryptCredentialRequest(await sealed('{"a":"aaaa"}'), expected)).resolves.toEqual({
      a: 'aaaa',
    })
  })

  test('go to the first usable key, with what both sides know [VCI-W-ENC-02]', async () => {
    const { publicJwk } = secondKey
    const rsa = { kty: 'RSA', n: 'AQAB', e: 'AQAB', kid: 'r', alg: 'RSA-OAEP-256' } as const
    const { alg: _, ...withoutAlg } = issuerKey.publicJwk
    const skipped = [
      rsa,
      withoutAlg,
      { ...issuerKey.publicJwk, use: 'sig' },
      { ...issuerKey.publicJwk, alg: 'x' },
    ]
    for (const first of skipped) {
      const jwe = await encryptCredentialRequest(request, { ...requestOffer, jwks: [first, publicJwk] })
      expect(headerOf(jwe)).toMatchObject({ kid: 'enc-2', alg: publicJwk.alg })
      await expect(decryptCredentialRequest(jwe, expected)).resolves.toEqual(request)
      await expect(
        encryptCredentialRequest(request, { ...requestOffer, jwks: [first] }),
      ).rejects.toMatchObject({ name: 'ProtocolError', code: 'encryption' })
    }
    const only128 = await encryptCredentialRequest(request, { ...requestOffer, encValues: ['X', 'A128GCM'] })
    expect(headerOf(only128)).toMatchObject({ enc: 'A128GCM' })
    expect(headerOf(only128)).not.toHaveProperty('zip')
    for (const encValues of [['A128CBC-HS256'], []]) {
      await expect(encryptCredentialRequest(request, { ...requestOffer, encValues })).rejects.toMatchObject({
        code: 'encryption',
      })
    }
  })
})

describe('credential_response_encryption', () => {
  test('holds a public key with alg and kid, and enc; no alg beside them', () => {
    expect(asked).toEqual({ jwk: { ...walletKey.publicJwk }, enc: 'A256GCM' })
    expect(asked['jwk']).toMatchObject({ alg: 'ECDH-ES', kid: 'w-1' })
    expect(asked['jwk']).not.toHaveProperty('d')
    expect(parseResponseEncryption(asked, responseOffer)).toEqual({
      jwk: walletKey.publicJwk,
      enc: 'A256GCM',
    })
    const { alg: _, ...withoutAlg } = walletKey.publicJwk
    for (const jwk of [withoutAlg, { ...walletKey.publicJwk, ...walletKey.privateJwk }]) {
      expect(() => makeResponseEncryption({ jwk, enc: 'A256GCM' })).toThrow(
        expect.objectContaining({ name: 'TypeError', code: 'message_refused' }),
      )
    }
  })

  test('is missing where it is required, or there where it is not offered [VCI-I-ENC-04]', () => {
    expect(parseResponseEncryption(undefined, responseOffer)).toBeUndefined()
    expect(parseResponseEncryption(undefined, undefined)).toBeUndefined()
    const required = { ...responseOffer, required: true }
    expect(parseResponseEncryption(asked, required)?.enc).toBe('A256GCM')
    expect(() => parseResponseEncryption(undefined, required)).toThrow(parametersRefused)
    expect(() => parseResponseEncryption(asked, undefined)).toThrow(parametersRefused)
  })

  const jwk: JsonObject = { ...walletKey.publicJwk }
  const broken: readonly (readonly [string, JsonValue])[] = [
    ['null', null],
    ['a list', [asked]],
    ['no jwk', { enc: 'A256GCM' }],
    ['a jwk that is a text', { jwk: 'w-1', enc: 'A256GCM' }],
    ['a key without alg', { jwk: { ...withoutMember(jwk, 'alg') }, enc: 'A256GCM' }],
    ['a key with an alg that is not offered', { jwk: { ...jwk, alg: 'ECDH-ES+A128KW' }, enc: 'A256GCM' }],
    ['a key with its private part', { jwk: { ...walletKey.privateJwk }, enc: 'A256GCM' }],
    ['a symmetric key', { jwk: { kty: 'oct', k: 'AAAA', alg: 'dir' }, enc: 'A256GCM' }],
    ['a key for signatures', { jwk: { ...jwk, use: 'sig' }, enc: 'A256GCM' }],
    ['no enc', { jwk }],
    ['an enc that is unknown', { jwk, enc: 'A192GCM' }],
    ['an enc that is no text', { jwk, enc: ['A256GCM'] }],
    ['a zip that is no text', { jwk, enc: 'A256GCM', zip: 7 }],
  ]
  test.each(broken)('is refused with %s [VCI-I-ENC-04]', (_, value) => {
    expect(() => parseResponseEncryption(value, responseOffer)).toThrow(parametersRefused)
    expect(() => parseResponseEncryption(asked, { ...responseOffer, encValues: ['A128GCM'] })).toThrow(
      parametersRefused,
    )
    expect(() => parseResponseEncryption(asked, { ...responseOffer, algValues: ['ECDH-ES+A128KW'] })).toThrow(
      parametersRefused,
    )
    // A zip asked for anyway is answered uncompressed, an alg beside the key is a member nobody knows.
    const more = { ...asked, zip: 'DEF', alg: 'ECDH-ES', foo: 1 }
    expect(parseResponseEncryption(more, responseOffer)).toEqual(
      parseResponseEncryption(asked, responseOffer),
    )
  })
})

describe('encrypted Credential Responses', () => {
  const answers = [
    makeCredentialResponse({ state: 'issued', credentials: ['a~'], notificationId: 'n' }),
    makeCredentialResponse({ state: 'pending', transactionId: 't', interval: 5 }),
  ]

  test.each(answers)(
    'have alg and kid of the wallet key and the enc it asked for, status $status [VCI-I-ENC-05]',
    async ({ body }) => {
      for (const enc of ['A128GCM', 'A256GCM'] as const) {
        const jwe = await encryptCredentialResponse(body, { jwk: walletKey.publicJwk, enc })
        const { epk, ...header } = headerOf(jwe)
        expect(header).toEqual({ alg: 'ECDH-ES', enc, kid: 'w-1' })
        expect(epk).not.toHaveProperty('d')
        await expect(decryptCredentialResponse(jwe, { key: walletKey, enc })).resolves.toEqual(body)
        const nameless = await encryptCredentialResponse(body, { jwk: withoutKid(walletKey), enc })
        expect(headerOf(nameless)).not.toHaveProperty('kid')
        await expect(decryptCredentialResponse(nameless, { key: walletKey, enc })).resolves.toEqual(body)
      }
    },
  )

  test('are refused unless they were made for this key in the way it was asked', async () => {
    const refused = { name: 'ProtocolError', code: 'response' }
    const [{ body } = { body: {} }] = answers
    const jwe = await encryptCredentialResponse(body, { jwk: walletKey.publicJwk, enc: 'A256GCM' })
    const noJson = await sealed('no JSON', { jwk: walletKey.publicJwk })
    const wrong = [
      () => decryptCredentialResponse(jwe, { key: walletKey, enc: 'A128GCM' }),
      () => decryptCredentialResponse(jwe, { key: issuerKey, enc: 'A256GCM' }),
      () => decryptCredentialResponse(JSON.stringify(body), { key: walletKey, enc: 'A256GCM' }),
      () =>
        decryptCredentialResponse(noJson, {
          key: walletKey,
          enc: 'A256GCM',
        }),
    ]
    for (const attempt of wrong) await expect(attempt()).rejects.toMatchObject(refused)
  })
})

function ours(): JweRecipient {
  return { jwk: issuerKey.publicJwk, enc: 'A256GCM' }
}

function strangersKey(kid: string) {
  return generateDecryptionKey({ kid }).publicJwk
}

function withoutKid({ publicJwk }: DecryptionKey) {
  const { kid: _, ...rest } = publicJwk
  return rest
}

function withoutMember(object: JsonObject, name: string): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([other]) => other !== name))
}
