import { describe, expect, test } from 'vitest'
import { createKeyPool } from './key-pool.js'
import { generatePrivateJwk } from './private-jwk.js'
import { createSoftwareSigner } from './signer.js'

const newKey = () => createSoftwareSigner(generatePrivateJwk('ES256')).publicJwk

describe('createKeyPool', () => {
  test('hands out one object for equal keys, and another for other labels', () => {
    const [pool, jwk] = [createKeyPool(), newKey()]
    const first = pool.parse({ ...jwk })
    expect(pool.parse({ ...jwk, ext: true })).toBe(first)
    expect(pool.parse({ ...jwk, kid: 'a' })).not.toBe(first)
    expect(first).toEqual(jwk)
  })

  test('keeps no more keys than told, the ones used last', () => {
    const [pool, a, b, c] = [createKeyPool({ maxKeys: 2 }), newKey(), newKey(), newKey()]
    const [first, second] = [pool.parse(a), pool.parse(b)]
    expect(pool.parse(a)).toBe(first)
    pool.parse(c)
    expect(pool.parse(a)).toBe(first)
    expect(pool.parse(b)).not.toBe(second)
  })

  test('refuses what parsing refuses, every time', () => {
    const [pool, { x = '', y = '' }] = [createKeyPool(), newKey()]
    const offCurve = { kty: 'EC', crv: 'P-256', x: y, y: x }
    for (let round = 0; round < 2; round += 1) {
      expect(() => pool.parse(offCurve)).toThrow(expect.objectContaining({ code: 'jwk_malformed' }))
      expect(() => pool.parse({ ...newKey(), d: 'AA' })).toThrow(
        expect.objectContaining({ code: 'jwk_private_member' }),
      )
    }
  })
})
