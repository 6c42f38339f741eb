import { describe, expect, test } from 'vitest'
import { drawIndex } from './index-allocation.js'

describe('drawIndex', () => {
  test('draws again instead of favouring low numbers', () => {
    const drawn = [Uint8Array.of(255, 255, 255, 255), Uint8Array.of(7, 0, 0, 0)]
    expect(drawIndex(() => drawn.shift() ?? new Uint8Array(4), 10)).toBe(7)
    expect(drawn).toHaveLength(0)
  })
})
