import { describe, expect, test } from 'vitest'
import { type ClaimsPath, parseClaimsPath, selectByPath } from './claims-path.js'

// The example of OpenID4VP 1.0, section 7.3 (the same stands in SD-JWT VC, section 5.6.1.1).
const CLAIMS = {
  name: 'Arthur Dent',
  address: { street_address: '42 Market Street', locality: 'Milliways', postal_code: '12345' },
  degrees: [
    { type: 'Bachelor of Science', university: 'University of Betelgeuse' },
    { type: 'Master of Science', university: 'University of Betelgeuse' },
  ],
  nationalities: ['British', 'Betelgeusian'],
}

describe('selectByPath', () => {
  const cases: readonly (readonly [ClaimsPath, readonly unknown[]])[] = [
    [['name'], ['Arthur Dent']],
    [['address'], [CLAIMS.address]],
    [['address', 'street_address'], ['42 Market Street']],
    [
      ['degrees', null, 'type'],
      ['Bachelor of Science', 'Master of Science'],
    ],
    [['nationalities', 1], ['Betelgeusian']],
    [['missing'], []],
    [['nationalities', 9], []],
    [['degrees', null, 'year'], []],
    [['toString'], []],
    [['address', 'constructor'], []],
  ]
  test.each(cases)('%j selects what the standard says [VC-C-02]', (path, selected) => {
    expect(selectByPath(CLAIMS, path)).toEqual(selected)
  })

  const contradictions: readonly ClaimsPath[] = [
    ['name', 'first'],
    ['address', null],
    ['address', 0],
    [0],
    [null],
  ]
  test.each(contradictions.map((path) => ({ path })))(
    'aborts for $path: the structure contradicts the path [VC-C-02]',
    ({ path }) => {
      expect(selectByPath(CLAIMS, path)).toBeUndefined()
    },
  )
})

describe('parseClaimsPath', () => {
  test('accepts strings, nulls and non-negative integers [VC-C-01]', () => {
    expect(parseClaimsPath(['a', null, 0])).toEqual(['a', null, 0])
    expect(parseClaimsPath([null])).toEqual([null])
  })

  test.each([
    [[]],
    [['a', -1]],
    [['a', 1.5]],
    [[true]],
    [['a', ['b']]],
    ['a'],
    [null],
    [{ 0: 'a' }],
    [[2 ** 53]],
  ])('refuses %j [VC-C-01]', (value) => {
    expect(parseClaimsPath(value)).toBeUndefined()
  })
})
