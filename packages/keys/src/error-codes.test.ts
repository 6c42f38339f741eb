import { describe, expect, test } from 'vitest'
import { KEY_CONFIGURATION_ERRORS, KEY_ERRORS, misconfiguration, refusal } from './error-codes.js'

describe('KEY_ERRORS and KEY_CONFIGURATION_ERRORS', () => {
  test('name each code once, in sentences that may stand in an error description', () => {
    const codes = [...Object.keys(KEY_ERRORS), ...Object.keys(KEY_CONFIGURATION_ERRORS)]
    expect(new Set(codes).size).toBe(codes.length)
    for (const text of [...Object.values(KEY_ERRORS), ...Object.values(KEY_CONFIGURATION_ERRORS)]) {
      expect(text).toMatch(/^[A-Z][\x20\x21\x23-\x5b\x5d-\x7e]+\.$/)
    }
  })

  test('keep apart what a peer did and what we did', () => {
    expect(refusal('jws_typ', 'x', { cause: 1 })).toMatchObject({
      name: 'VerificationError',
      code: 'jws_typ',
      cause: 1,
    })
    expect(misconfiguration('x5c_anchor', 'x')).toBeInstanceOf(TypeError)
    expect(misconfiguration('x5c_anchor', 'x')).toMatchObject({ code: 'x5c_anchor' })
  })
})
