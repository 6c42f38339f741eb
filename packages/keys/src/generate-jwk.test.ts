import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { decodeBase64url } from '@attache/core'
import { describe, expect, test } from 'vitest'
import { ecJwkOfScalar, generateEcJwk, generateOtherJwk } from './generate-jwk.js'

describe('generateEcJwk', () => {
  test.each([
    ['P-256', 32],
    ['P-384', 48],
    ['P-521', 66],
  ] as const)('makes a key on %s with members of full length that signs', (crv, bytes) => {
    const { kty, x, y, d } = generateEcJwk(crv)
    for (const text of [x, y, d]) expect(decodeBase64url(text)?.length).toBe(bytes)
    const key = createPrivateKey({ key: { kty, crv, x, y, d }, format: 'jwk' })
    const signature = sign('sha256', Buffer.from('text'), key)
    const publicKey = createPublicKey({ key: { kty, crv, x, y }, format: 'jwk' })
    expect(verify('sha256', Buffer.from('text'), publicKey, signature)).toBe(true)
    expect(generateEcJwk(crv).d).not.toBe(d)
  })

  test('a scalar with leading zeros keeps its length', () => {
    const one = new Uint8Array(32)
    one[31] = 1
    const { x, d } = ecJwkOfScalar('P-256', one)
    expect(decodeBase64url(d)).toEqual(Buffer.from(one))
    // The generator of the curve.
    expect(Buffer.from(x, 'base64url').toString('hex')).toBe(
      '6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296',
    )
  })
})

describe('generateOtherJwk', () => {
  test.each(['OKP', 'RSA'] as const)('makes a key of type %s that can be imported', (kty) => {
    const jwk = generateOtherJwk(kty)
    expect(jwk.kty).toBe(kty)
    expect(createPrivateKey({ key: jwk, format: 'jwk' }).asymmetricKeyType).toBe(
      kty === 'OKP' ? 'ed25519' : 'rsa',
    )
  })
})

// Exporting a generated key object as a JWK can stop the process for good (see the file); so nobody generates one.
test('key objects are generated in this one file', () => {
  const root = fileURLToPath(new URL('../../../', import.meta.url))
  const files = ['packages', 'apps'].flatMap((folder) =>
    readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' })
      .filter((name) => /^[^/]+\/src\/[^/]+\.ts$/.test(name) && !name.endsWith('.test.ts'))
      .map((name) => `${folder}/${name}`),
  )
  const generating = files.filter((file) =>
    readFileSync(`${root}${file}`, 'utf8').includes('generateKeyPair'),
  )

  expect(files.length).toBeGreaterThan(100)
  expect(generating).toEqual(['packages/keys/src/generate-jwk.ts'])
})
