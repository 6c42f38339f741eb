import { describe, expect, test } from 'vitest'
import { requireTransition, STATUS_VALUES, statusName } from './status-value.js'

describe('statusName', () => {
  test('knows the registered values and no other [TSL-V-09]', () => {
    expect([0, 1, 2].map(statusName)).toEqual(['valid', 'invalid', 'suspended'])
    const others = Array.from({ length: 253 }, (_, index) => statusName(index + 3))
    expect(new Set(others)).toEqual(new Set(['unknown']))
  })
})

describe('requireTransition', () => {
  const { valid, invalid, suspended } = STATUS_VALUES

  test('lets a status move until it is INVALID, which is final [TSL-P-08]', () => {
    const allowed = [
      [valid, valid],
      [valid, suspended],
      [valid, invalid],
      [suspended, valid],
      [suspended, suspended],
      [suspended, invalid],
      [invalid, invalid],
    ] as const
    for (const [from, to] of allowed) expect(() => requireTransition(from, to)).not.toThrow()
    for (const to of [valid, suspended, 3]) {
      expect(() => requireTransition(invalid, to)).toThrow(expect.objectContaining({ code: 'status_final' }))
    }
  })
})
