import { describe, expect, test } from 'vitest'
import { checkSteps, serializeValue, storeKey } from './store.js'

describe('storeKey', () => {
  test('is t/<tenant>/<room>/<kind>/<id>', () => {
    expect(storeKey({ tenant: 'default', room: 'issuer', kind: 'nonce', id: 'a/b' })).toBe(
      't/default/issuer/nonce/a/b',
    )
  })

  test.each([
    { tenant: 'a/b', room: 'r', kind: 'k', id: 'i' },
    { tenant: '', room: 'r', kind: 'k', id: 'i' },
    { tenant: 't', room: 'r', kind: 'k', id: 'é' },
    { tenant: 't', room: 'r', kind: 'k', id: 'x'.repeat(513) },
  ])('refuses $tenant/$room/$kind with a key that no store takes', (parts) => {
    expect(() => storeKey(parts)).toThrow(expect.objectContaining({ code: 'store_key_invalid' }))
  })
})

describe('serializeValue', () => {
  test('counts bytes, not characters', () => {
    expect(serializeValue('x'.repeat(1_048_574))).toHaveLength(1_048_576)
    expect(() => serializeValue('x'.repeat(1_048_575))).toThrow(
      expect.objectContaining({ code: 'store_value_too_large' }),
    )
    expect(() => serializeValue('é'.repeat(600_000))).toThrow(
      expect.objectContaining({ code: 'store_value_too_large' }),
    )
  })
})

describe('checkSteps', () => {
  test('refuses two steps on one key', () => {
    expect(() =>
      checkSteps([
        { op: 'remove', key: 'a' },
        { op: 'put', key: 'a', value: 1 },
      ]),
    ).toThrow(expect.objectContaining({ code: 'store_commit_invalid' }))
  })
})
