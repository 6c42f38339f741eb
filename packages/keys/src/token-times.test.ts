import { describe, expect, test } from 'vitest'
import { checkTimes } from './token-times.js'

const NOW = 1_790_000_000
const refusal = (code: string) => expect.objectContaining({ code })

describe('checkTimes', () => {
  test('accepts a token without times, and one within them', () => {
    expect(() => checkTimes({}, NOW)).not.toThrow()
    expect(() => checkTimes({ iat: NOW, nbf: NOW, exp: NOW + 1 }, NOW, 0)).not.toThrow()
    expect(() => checkTimes({ iat: NOW + 0.5 }, NOW)).not.toThrow()
  })

  test('gives the clock of a peer 60 seconds, either way, unless told otherwise', () => {
    expect(() => checkTimes({ exp: NOW - 59 }, NOW)).not.toThrow()
    expect(() => checkTimes({ exp: NOW - 60 }, NOW)).toThrow(refusal('jwt_expired'))
    expect(() => checkTimes({ nbf: NOW + 60 }, NOW)).not.toThrow()
    expect(() => checkTimes({ nbf: NOW + 61 }, NOW)).toThrow(refusal('jwt_not_yet_valid'))
    expect(() => checkTimes({ iat: NOW + 60 }, NOW)).not.toThrow()
    expect(() => checkTimes({ iat: NOW + 61 }, NOW)).toThrow(refusal('jwt_issued_in_future'))
    expect(() => checkTimes({ exp: NOW }, NOW, 0)).toThrow(refusal('jwt_expired'))
    expect(() => checkTimes({ iat: NOW + 5 }, NOW, 4)).toThrow(refusal('jwt_issued_in_future'))
  })

  test('refuses times that are no NumericDate, milliseconds among them', () => {
    for (const time of ['1790000000', null, true, [], -1, Number.NaN, 1e300, NOW * 1000]) {
      for (const name of ['exp', 'nbf', 'iat']) {
        expect(() => checkTimes({ [name]: time }, NOW)).toThrow(refusal('jwt_time_malformed'))
      }
    }
  })
})
