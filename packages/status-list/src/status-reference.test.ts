import { describe, expect, test } from 'vitest'
import { parseStatusReference, statusClaim } from './status-reference.js'

const uri = 'https://issuer.example/status/1'
const code = (expected: string) => expect.objectContaining({ code: expected })

describe('parseStatusReference', () => {
  test('reads what the issuer writes, beside other mechanisms [TSL-R-01]', () => {
    const reference = { idx: 7, uri }
    expect(parseStatusReference(statusClaim(reference))).toEqual(reference)
    expect(parseStatusReference({ ...statusClaim(reference), other: {} })).toEqual(reference)
  })

  test('refuses a status that is no object or names no mechanism [TSL-R-01]', () => {
    for (const status of [null, 'x', 1, [], {}, { status_list: 'x' }, { status_list: [] }]) {
      expect(() => parseStatusReference(status)).toThrow(code('status_malformed'))
    }
  })

  test('does not take an unknown mechanism for valid [TSL-R-01]', () => {
    expect(() => parseStatusReference({ identifier_list: { id: '1' } })).toThrow(
      code('status_mechanism_unknown'),
    )
  })

  test('takes an index from 0 to the largest safe integer [TSL-R-02]', () => {
    for (const idx of [0, 2 ** 53 - 1]) {
      expect(parseStatusReference({ status_list: { idx, uri } }).idx).toBe(idx)
    }
    for (const idx of [-1, 1.5, '1', 2 ** 53, null]) {
      expect(() => parseStatusReference({ status_list: { idx, uri } })).toThrow(code('status_malformed'))
    }
    expect(() => parseStatusReference({ status_list: { uri } })).toThrow(code('status_malformed'))
  })

  test('takes an https URI only [TSL-R-03]', () => {
    for (const wrong of ['http://issuer.example/1', 'issuer.example/1', '', 'file:///etc/passwd', 1, null]) {
      expect(() => parseStatusReference({ status_list: { idx: 0, uri: wrong } })).toThrow(
        code('status_malformed'),
      )
    }
    expect(() => parseStatusReference({ status_list: { idx: 0 } })).toThrow(code('status_malformed'))
  })
})
