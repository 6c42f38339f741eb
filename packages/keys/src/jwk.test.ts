import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { bareJwk, parsePublicJwk } from './jwk.js'
import { parseJwks } from './jwks.js'
import { generatePrivateJwk } from './private-jwk.js'
import { createSoftwareSigner } from './signer.js'
import { jwkThumbprint } from './thumbprint.js'

const key = createSoftwareSigner(generatePrivateJwk('ES256')).publicJwk

function rsa(modulusLength: number, publicExponent = 65_537) {
  const pair = generateKeyPairSync('rsa', { modulusLength, publicExponent })
  return pair.publicKey.export({ format: 'jwk' })
}

const refusal = (code: string) => expect.objectContaining({ code })

describe('parsePublicJwk', () => {
  test('returns the known public members only, frozen', () => {
    const jwk = parsePublicJwk({
      ...key,
      kid: 'k',
      alg: 'ES256',
      use: 'sig',
      x5u: 'https://x.example',
      key_ops: [],
    })
    expect(jwk).toEqual({ ...key, kid: 'k', alg: 'ES256', use: 'sig' })
    expect(Object.isFrozen(jwk)).toBe(true)
    expect(bareJwk(jwk)).toEqual(key)
  })

  test('refuses private and secret members', () => {
    for (const name of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']) {
      expect(() => parsePublicJwk({ ...key, [name]: 'AA' })).toThrow(refusal('jwk_private_member'))
    }
    expect(() => parsePublicJwk({ kty: 'oct', k: 'AA' })).toThrow(refusal('jwk_private_member'))
  })

  test('refuses Ed25519 points of small order, under which one signature fits everything', () => {
    const points = [
      `01${'00'.repeat(31)}`,
      `01${'00'.repeat(30)}80`,
      '00'.repeat(32),
      `ec${'ff'.repeat(31)}`,
      'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
      `ee${'ff'.repeat(30)}7f`,
    ]
    for (const point of points) {
      const x = Buffer.from(point, 'hex').toString('base64url')
      expect(() => parsePublicJwk({ kty: 'OKP', crv: 'Ed25519', x })).toThrow(refusal('jwk_weak'))
    }
    const { publicJwk } = createSoftwareSigner(generatePrivateJwk('EdDSA'))
    expect(parsePublicJwk(publicJwk)).toEqual(publicJwk)
  })

  test('refuses key types and curves not used here', () => {
    const others = [
      { kty: 'oct' },
      { kty: 'AKP', alg: 'ML-DSA-44', pub: 'AA' },
      { ...key, crv: 'secp256k1' },
      { kty: 'OKP', crv: 'X25519', x: 'A'.repeat(43) },
      { kty: 'OKP', crv: 'Ed448', x: 'A'.repeat(76) },
    ]
    for (const other of others) expect(() => parsePublicJwk(other)).toThrow(refusal('jwk_type_refused'))
  })

  test('refuses malformed members, wrong lengths and points off the curve [SDJWT-D-06]', () => {
    const { x = '', y = '' } = key
    const bad = [
      null,
      [],
      'jwk',
      {},
      { kty: 'EC' },
      { kty: 'EC', crv: 'P-256', x },
      { ...key, x: `${x}=` },
      { ...key, x: `${x.slice(0, -1)}!` },
      { ...key, x: x.slice(1) },
      { ...key, x: 1 },
      { ...key, x: y, y: x },
      { ...key, kid: 7 },
      { ...key, alg: null },
    ]
    for (const jwk of bad) expect(() => parsePublicJwk(jwk)).toThrow(refusal('jwk_malformed'))
  })

  test('refuses inherited members', () => {
    expect(() => parsePublicJwk(Object.create(key))).toThrow(refusal('jwk_malformed'))
  })

  test('refuses weak RSA keys and exponents, and huge ones [VC-K-09]', () => {
    const sound = rsa(2048)
    expect(parsePublicJwk(sound).kty).toBe('RSA')
    const weak = [
      rsa(1024),
      rsa(2040),
      rsa(2048, 3),
      { ...sound, e: 'AQ' },
      { ...sound, e: 'AQAA' },
      { ...sound, e: '_____w8' },
      { ...sound, n: Buffer.alloc(1025, 255).toString('base64url') },
    ]
    for (const jwk of weak) expect(() => parsePublicJwk(jwk)).toThrow(refusal('jwk_weak'))
    expect(() => parsePublicJwk({ ...sound, e: 'AAEAAQ' })).toThrow(refusal('jwk_malformed'))
  })
})

describe('jwkThumbprint', () => {
  test('depends on the required members alone', () => {
    expect(jwkThumbprint({ ...key, kid: 'other', alg: 'ES256' })).toBe(jwkThumbprint(key))
    expect(jwkThumbprint(key)).toMatch(/^[\w-]{43}$/)
  })
})

describe('parseJwks', () => {
  test('skips keys of unknown kind and reports private members [VC-K-09]', () => {
    const skipped: unknown[] = []
    const keys = parseJwks(
      {
        keys: [
          { kty: 'AKP', pub: 'AA' },
          { ...key, kid: 'a' },
          { ...key, d: 'AA' },
          'x',
          { kty: 'oct', k: 'AA' },
        ],
      },
      (key) => skipped.push(key),
    )
    expect(keys).toEqual([{ ...key, kid: 'a' }])
    expect(skipped).toEqual([
      { index: 0, code: 'jwk_type_refused' },
      { index: 2, code: 'jwk_private_member' },
      { index: 3, code: 'jwk_malformed' },
      { index: 4, code: 'jwk_private_member' },
    ])
  })

  test('refuses what is no JWK Set', () => {
    for (const bad of [null, [], {}, { keys: {} }, [key]]) {
      expect(() => parseJwks(bad)).toThrow(refusal('jwks_malformed'))
    }
  })
})
