import { describe, expect, test } from 'vitest'
import { makeNonceResponse, parseNonceResponse } from './nonce.js'

describe('Nonce Responses', () => {
  test('hold a c_nonce, and what else there may be is ignored', () => {
    expect(makeNonceResponse({ cNonce: 'VKfHyjmB' })).toEqual({ c_nonce: 'VKfHyjmB' })
    expect(parseNonceResponse({ c_nonce: 'VKfHyjmB', c_nonce_expires_in: 300 })).toEqual({
      cNonce: 'VKfHyjmB',
    })
    expect(() => makeNonceResponse({ cNonce: '' })).toThrow(
      expect.objectContaining({ name: 'TypeError', code: 'message_refused' }),
    )
  })

  test.each([{}, { c_nonce: '' }, { c_nonce: 7 }, { c_nonce: null }, { cNonce: 'x' }, ['x'], 'x', null])(
    'are refused without one',
    (body) => {
      expect(() => parseNonceResponse(body)).toThrow(
        expect.objectContaining({ name: 'ProtocolError', code: 'response' }),
      )
    },
  )
})
