import { describe, expect, test } from 'vitest'
import {
  parseAuthorizationAnswer,
  parseAuthorizationQuestion,
  parseNonceReport,
  tokenPathOf,
  writeAuthorizationAnswer,
  writeAuthorizationQuestion,
  writeNonceReport,
} from './socket-protocol.js'

describe('socket protocol v1', () => {
  test('a question survives the way from agent to daemon', () => {
    const question = {
      method: 'POST',
      url: 'https://api.example/payroll/export?month=5',
      challenge: { status: 401, wwwAuthenticate: ['DPoP scope="payroll"'], dpopNonce: 'n1', body: '{}' },
    } as const

    expect(parseAuthorizationQuestion(JSON.parse(writeAuthorizationQuestion(question)))).toEqual(question)
  })

  test.each([
    ['no object', 'text'],
    ['no method', { url: 'https://api.example/' }],
    ['a method with a space', { method: 'GET x', url: 'https://api.example/' }],
    ['plain http', { method: 'GET', url: 'http://api.example/' }],
    ['a URL with credentials', { method: 'GET', url: 'https://a:b@api.example/' }],
    [
      'another status',
      { method: 'GET', url: 'https://a.example/', challenge: { status: 402, www_authenticate: [] } },
    ],
    ['a challenge without fields', { method: 'GET', url: 'https://a.example/', challenge: { status: 401 } }],
  ])('refuses a question with %s', (_name, value) => {
    expect(parseAuthorizationQuestion(value)).toBeUndefined()
  })

  test('an answer survives the way from daemon to agent', () => {
    const answer = { outcome: 'authorized', headers: { authorization: 'DPoP t', dpop: 'p' } } as const

    expect(parseAuthorizationAnswer(JSON.parse(writeAuthorizationAnswer(answer)))).toEqual(answer)
    expect(parseAuthorizationAnswer({ outcome: 'none', signed_response: true })).toEqual({
      outcome: 'none',
      signedResponse: true,
    })
    expect(parseAuthorizationAnswer({ outcome: 'none', signed_response: 'yes' })).toBeUndefined()
    expect(parseAuthorizationAnswer({ outcome: 'none', reference: 'req_1' })).toEqual({
      outcome: 'none',
      reference: 'req_1',
    })
  })

  test('refuses an answer that sets a header the wallet has no business with, or breaks a line', () => {
    expect(parseAuthorizationAnswer({ outcome: 'authorized', headers: { cookie: 'a=b' } })).toBeUndefined()
    expect(
      parseAuthorizationAnswer({ outcome: 'authorized', headers: { dpop: 'a\r\nb: c' } }),
    ).toBeUndefined()
    expect(parseAuthorizationAnswer({ outcome: 'granted', headers: {} })).toBeUndefined()
  })

  test('reads inherited names as absent', () => {
    expect(parseNonceReport(Object.create({ url: 'https://a.example/', dpop_nonce: 'n' }))).toBeUndefined()
    expect(
      parseNonceReport(JSON.parse(writeNonceReport({ url: 'https://a.example/', dpopNonce: 'n' }))),
    ).toEqual({
      url: 'https://a.example/',
      dpopNonce: 'n',
    })
  })

  test('the token file lies beside the socket', () => {
    expect(tokenPathOf('/run/attache/a.sock')).toBe('/run/attache/a.sock.token')
  })
})
