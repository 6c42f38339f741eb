import type { JsonObject } from '@attache/core'
import { createSoftwareSigner, generatePrivateJwk, type JwsAlgorithm, parseJws, signJws } from '@attache/keys'
import {
  createStatusList,
  createStatusListToken,
  packStatusList,
  type StatusListToken,
  statusAt,
  verifyStatusListToken,
  writeStatus,
} from '@attache/status-list'
import { describe, expect, test } from 'vitest'

const NOW = 1_790_000_000
const uri = 'https://issuer.example/status/lst_1'
const signer = createSoftwareSigner(generatePrivateJwk('ES256'))
const algorithms: readonly JwsAlgorithm[] = ['ES256']
const expected = { uri, key: signer.publicJwk, algorithms, now: NOW }
const list = createStatusList(64, 2)
writeStatus(list, 3, 2)
const token: StatusListToken = { uri, iat: NOW, exp: NOW + 600, ttl: 60, list }
const code = (text: string) => expect.objectContaining({ code: text })

const claims: JsonObject = { sub: uri, iat: NOW, status_list: { bits: 2, lst: packStatusList(list) } }
const sign = (payload: JsonObject, header: JsonObject = {}) =>
  signJws({ header: { typ: 'statuslist+jwt', ...header }, payload }, signer)

describe('createStatusListToken', () => {
  test('makes a token with the type and the claims of the standard [TSL-T-01, TSL-T-02, TSL-T-05]', async () => {
    const { header, payload } = parseJws(await createStatusListToken(token, signer))

    expect(header).toEqual({ typ: 'statuslist+jwt', alg: 'ES256', kid: signer.kid })
    expect(payload).toEqual({ ...claims, exp: NOW + 600, ttl: 60 })
  })

  test('makes what its other half accepts [TSL-T-02]', async () => {
    const made = await createStatusListToken(
      { ...token, aggregationUri: 'https://issuer.example/status' },
      signer,
    )
    const verified = verifyStatusListToken(made, expected)

    expect(verified).toMatchObject({
      uri,
      iat: NOW,
      exp: NOW + 600,
      ttl: 60,
      aggregationUri: 'https://issuer.example/status',
    })
    expect(statusAt(verified.list, 3)).toBe(2)
  })
})

describe('verifyStatusListToken', () => {
  test('accepts a token without exp and ttl [TSL-T-05]', async () => {
    expect(verifyStatusListToken(await sign(claims), expected)).not.toHaveProperty('ttl')
  })

  test('takes any positive ttl and no other [TSL-T-06]', async () => {
    expect(verifyStatusListToken(await sign({ ...claims, ttl: 0.001 }), expected).ttl).toBe(0.001)
    for (const ttl of [-1, 0, '300', null, []]) {
      const made = await sign({ ...claims, ttl })
      expect(() => verifyStatusListToken(made, expected)).toThrow(code('status_token_malformed'))
    }
  })

  test('refuses a MAC, another algorithm and another key [TSL-T-07, TSL-V-02]', async () => {
    const text = await sign(claims)
    const [, payload = '', signature = ''] = text.split('.')
    const mac = Buffer.from('{"typ":"statuslist+jwt","alg":"HS256"}').toString('base64url')
    expect(() => verifyStatusListToken(`${mac}.${payload}.${signature}`, expected)).toThrow(
      code('jws_algorithm'),
    )
    expect(() => verifyStatusListToken(text, { ...expected, algorithms: [] })).toThrow(code('jws_algorithm'))

    const other = createSoftwareSigner(generatePrivateJwk('ES256'))
    expect(() => verifyStatusListToken(text, { ...expected, key: other.publicJwk })).toThrow(
      code('jws_signature'),
    )
  })

  test('never counts a key that the token names itself [TSL-T-08]', async () => {
    const stranger = createSoftwareSigner(generatePrivateJwk('ES256'))
    const { kty, crv, x, y } = JSON.parse(JSON.stringify(stranger.publicJwk))
    const header = { typ: 'statuslist+jwt', kid: signer.kid, jwk: { kty, crv, x, y } }
    const made = await signJws({ header, payload: claims }, stranger)
    expect(() => verifyStatusListToken(made, expected)).toThrow(code('jws_signature'))
  })

  test.each([
    ['sub', undefined],
    ['sub', 1],
    ['iat', undefined],
    ['iat', '1790000000'],
    ['status_list', undefined],
    ['status_list', []],
    ['exp', '1790000000'],
  ])('refuses %s being %s [TSL-V-03]', async (name, value) => {
    const { [name]: _removed, ...rest } = claims
    const made = await sign(value === undefined ? rest : { ...rest, [name]: value })
    expect(() => verifyStatusListToken(made, expected)).toThrow(code('status_token_malformed'))
  })

  test('compares sub byte for byte [TSL-V-04]', async () => {
    const made = await sign(claims)
    for (const wanted of [
      `${uri}/`,
      `${uri}?`,
      uri.toUpperCase(),
      uri.replace('https://issuer', 'https://ISSUER'),
    ]) {
      expect(() => verifyStatusListToken(made, { ...expected, uri: wanted })).toThrow(
        code('status_token_subject'),
      )
    }
  })

  test('refuses a token from the future or past its exp, by the tolerance [TSL-V-05, TSL-V-06]', async () => {
    const early = await sign({ ...claims, iat: NOW + 61 })
    expect(() => verifyStatusListToken(early, expected)).toThrow(code('jwt_issued_in_future'))
    const late = await sign({ ...claims, exp: NOW - 60 })
    expect(() => verifyStatusListToken(late, expected)).toThrow(code('jwt_expired'))
    expect(verifyStatusListToken(await sign({ ...claims, exp: NOW - 59 }), expected).exp).toBe(NOW - 59)
  })

  test('says nothing about a moment the token was not in force [TSL-H-03]', async () => {
    const made = await createStatusListToken(token, signer)
    for (const at of [NOW, NOW + 599]) {
      expect(verifyStatusListToken(made, { ...expected, now: NOW + 9_999, at }).iat).toBe(NOW)
    }
    for (const at of [NOW - 1, NOW + 600]) {
      expect(() => verifyStatusListToken(made, { ...expected, at })).toThrow(code('jwt_expired'))
    }
    const endless = await sign(claims)
    expect(() => verifyStatusListToken(endless, { ...expected, at: NOW })).toThrow(code('jwt_expired'))
  })

  test('ignores claims it does not know', async () => {
    const made = await sign({ ...claims, iss: 'https://issuer.example', note: { a: [1] } })
    expect(verifyStatusListToken(made, expected).uri).toBe(uri)
  })
})
