import { describe, expect, test } from 'vitest'
import { nearestName } from './nearest-name.js'

describe('nearestName', () => {
  test('finds the name that was meant, and none when nothing is near', () => {
    expect(nearestName('dataFoldr', ['dataFolder', 'listen'])).toBe('dataFolder')
    expect(nearestName('LISTEN', ['dataFolder', 'listen'])).toBe('listen')
    expect(nearestName('colour', ['dataFolder', 'listen'])).toBeUndefined()
    expect(nearestName('x', [])).toBeUndefined()
  })
})
