import { describe, expect, test } from 'vitest'
import { parseHttpsUrl, wellKnownUrl, withoutTrailingSlash } from './url.js'

describe('wellKnownUrl', () => {
  test.each([
    ['https://h.example', 'https://h.example/.well-known/x'],
    ['https://h.example/', 'https://h.example/.well-known/x'],
    ['https://h.example:8443/t', 'https://h.example:8443/.well-known/x/t'],
    ['https://h.example/t/', 'https://h.example/.well-known/x/t/'],
    ['https://h.example/a/../b%2F', 'https://h.example/.well-known/x/a/../b%2F'],
  ])('of %s is %s', (identifier, expected) => {
    expect(wellKnownUrl(identifier, 'x')).toBe(expected)
  })

  test('follows RFC 8414 once the trailing slash is away', () => {
    expect(wellKnownUrl(withoutTrailingSlash('https://h.example/t/'), 'x')).toBe(
      'https://h.example/.well-known/x/t',
    )
  })
})

describe('parseHttpsUrl', () => {
  test.each(['http://h.example', 'https://u:p@h.example', 'h.example', '', 7, 'file:///etc/passwd'])(
    'refuses %j',
    (text) => {
      expect(parseHttpsUrl(text)).toBeUndefined()
    },
  )

  test('accepts an absolute https URL', () => {
    expect(parseHttpsUrl('https://h.example/a?b#c')?.href).toBe('https://h.example/a?b#c')
  })
})
