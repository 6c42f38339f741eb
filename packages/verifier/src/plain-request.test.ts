import { describe, expect, test } from 'vitest'
import { isPlainPath, isPlainRequest } from './plain-request.js'

describe('isPlainPath', () => {
  test.each(['/', '/payroll/export', '/a.b/..c/...', '/caf%C3%A9', '/a%20b', '/x/', "/~a!$&'()*+,;=:@"])(
    'takes %s',
    (path) => expect(isPlainPath(path)).toBe(true),
  )

  test.each([
    '//payroll',
    '/payroll//export',
    '/payroll/./export',
    '/payroll/../admin',
    '/payroll/..',
    '/%2e%2e/admin',
    '/payroll%2Fexport',
    '/payroll%5cexport',
    '/payroll\\export',
    '/payroll%00',
    '/payroll%zz',
    '/payroll%2',
    '/pay roll',
    'payroll',
    '',
  ])('refuses %s', (path) => expect(isPlainPath(path)).toBe(false))
})

describe('isPlainRequest', () => {
  test('refuses a request that names a second method', () => {
    const request = (headers = {}) => new Request('https://api.example/a?b=//c', { headers })
    expect(isPlainRequest(request())).toBe(true)
    for (const name of ['X-HTTP-Method-Override', 'x-http-method', 'X-Method-Override']) {
      expect(isPlainRequest(request({ [name]: 'DELETE' }))).toBe(false)
    }
  })
})
