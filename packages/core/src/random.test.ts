import { describe, expect, test } from 'vitest'
import { randomId, randomText, systemRandom } from './random.js'

describe('randomText', () => {
  test('is 43 characters of base64url for 32 bytes [IOP-C-06]', () => {
    expect(randomText(systemRandom)).toMatch(/^[A-Za-z0-9_-]{43}$/)
    expect(new Set(Array.from({ length: 1000 }, () => randomText(systemRandom))).size).toBe(1000)
  })
})

describe('randomId', () => {
  test('tells its kind and carries 128 bits', () => {
    expect(randomId(systemRandom, 'crd')).toMatch(/^crd_[A-Za-z0-9_-]{22}$/)
  })
})
